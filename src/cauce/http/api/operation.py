"""An operation as it is declared: where it is, who may, what goes in and comes out, and the function that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import msgspec

from cauce.access.api import Actor
from cauce.client.types.basics import Nothing
from cauce.errors import CauceError, Unreadable
from cauce.http.api.repetition import Kept

if TYPE_CHECKING:
    from cauce.app import Platform

Query = TypeVar("Query")
Body = TypeVar("Body")

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Lane = Literal["read", "heavy", "write", "now"]
"""Which threads carry an operation out: quick questions, long ones, and those that wait for the river.

*now* needs none: `handle` is a coroutine of the event loop, which must not block. It may give a whole answer of
Starlette's, such as a stream. What it changes is a command of commerce, which remembers `Call.key` for good.
"""

WHOLE_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Call(Generic[Query, Body]):
    """One call of an operation: who calls, the parts of the path, parameters and body, already checked.

    `place` is where the page before ended, () at the beginning; `cursor_at` writes the cursor that goes on from there.
    `key` is what the caller sent as `Idempotency-Key`, of this caller only; "" for none. `headers` are those of the
    request.
    """

    platform: Platform
    actor: Actor
    path: Mapping[str, str]
    query: Query
    body: Body
    place: tuple[Any, ...]
    cursor_at: Callable[[tuple[Any, ...]], str]
    key: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def whole(self, name: str) -> int:
        """A part of the path as a whole number; Unreadable when it is none."""
        text = self.path[name]
        if not (text.isascii() and text.isdigit() and int(text[:20]) <= WHOLE_MAX):
            raise Unreadable(f"expected {name} in the path to be a whole number, got {text[:80]!r}")
        return int(text)

    @property
    def offset(self) -> int:
        """How many items of a numbered list the pages before held."""
        return int(self.place[0]) if self.place else 0


AnyCall = Call[Any, Any]
Handler = Callable[[AnyCall], Any]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table.

    `name` is `resource.verb`, the operation's id and the client's method. `permission` "" lets every token in.
    `guard` gives what is there now, for the ETag: two people who change one definition do not overwrite each other.
    `audit` is the word for the audit trail and `subject` what it is about, never with a personal value; "" leaves none,
    because what it calls notes it itself. `is_look`: somebody saw a person, and changed nothing.
    `kept` is what is written down of a change that carries an `Idempotency-Key`, so that its repetition is known after
    a restart and at other doors: its *answer*; the bare *fact*, when the answer holds a secret or personal values; ""
    when the command itself remembers its key (`Call.key`).
    `only_asks`: a POST that changes nothing, because its question is too long for an address.
    `media` is what the answer is sent as; of a stream `answer` is what each of its events holds.
    `example` is a body that can be sent, `parameters` an example of the query.
    """

    name: str
    method: Method
    path: str
    summary: str
    permission: str
    handle: Handler
    answer: Any = None
    media: str = "application/json"
    status: int = 200
    description: str = ""
    query: type[msgspec.Struct] = Nothing
    body: type[msgspec.Struct] | None = None
    errors: tuple[type[CauceError], ...] = ()
    lane: Lane = "read"
    guard: Handler | None = None
    audit: str = ""
    is_look: bool = False
    only_asks: bool = False
    subject: Callable[[AnyCall, Any], str] | None = None
    kept: Kept = ""
    example: dict[str, Any] = {}
    parameters: dict[str, Any] = {}

    @property
    def resource(self) -> str:
        return self.name.partition(".")[0]

    @property
    def changes(self) -> bool:
        """Whether it may change something, so that it must not be done twice by accident."""
        return self.method != "GET" and not self.only_asks

    @property
    def path_names(self) -> list[str]:
        """Names of the variable parts of the path, in order."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]


class PathPart(msgspec.Struct, frozen=True):
    """A variable part of a path: what it is, and an example of it."""

    help: str
    example: str | int

    @property
    def schema(self) -> dict[str, Any]:
        number = isinstance(self.example, int)
        return {"type": "integer", "minimum": 1} if number else {"type": "string", "minLength": 1}


PATH_PARTS: dict[str, PathPart] = {
    "key": PathPart(
        "A person: `kind:value`, such as `email:ana@tienda.es`, or an id such as `p_7a183qvc78b00`. "
        "Encode `/`, `%`, `#` and `?` of the value.",
        "email:ana@tienda.es",
    ),
    "source": PathPart("Name of a source.", "web"),
    "hint": PathPart("Last characters of a write key.", "x9Qz"),
    "secret": PathPart("Hint of a secret: how its SHA-256 begins.", "5bdcc146"),
    "system": PathPart("System that a source is connected to.", "shopify"),
    "fact": PathPart("Position of a fact's event in the river.", 1_048_576),
    "position": PathPart("Position of a quarantined event.", 1_048_576),
    "contract": PathPart("Key of a contract, such as `track:Order Completed`.", "track:Order Completed"),
    "trait": PathPart("Name of a trait.", "firstName"),
    "computed": PathPart("Name of a computed trait.", "carts_7_days"),
    "sort": PathPart("*contract*, *trait*, *survivorship* or *identity*.", "contract"),
    "account": PathPart("Name of an account.", "ana"),
    "trial": PathPart("Id of a trial of rules.", "7a183qvc78b0"),
    "statement": PathPart("Id of a statement that is kept.", "5712998801672613"),
    "token": PathPart("Id of a token.", "t_7a183qvc"),
    "sku": PathPart("SKU of a product. Encode `/`, `%`, `#` and `?`.", "ABR-00001-AZ"),
    "place": PathPart("Id of a place.", "S01"),
    "order": PathPart("Number of an order.", "C-000001"),
    "basket": PathPart(
        "A person: `kind:value` or an id such as `p_7a183qvc78b00`; or the number of a basket.", "email:ana@tienda.es"
    ),
    "line": PathPart("Id of a line of a basket, which its client made.", "a1b2"),
    "programme": PathPart("Code of a loyalty programme.", "club"),
    "redemption": PathPart("Number of a redemption.", 1),
    "card": PathPart("Id of a gift card, which is not its number.", 1),
    "authorisation": PathPart("Number of an authorisation.", 1),
    "hold": PathPart("Id of a hold of stock.", 1),
    "shipment": PathPart("Id of a shipment.", 1),
    "hook": PathPart("Id of an address that is told of changes.", "h_7a183qvc78b0aa10"),
    "resource": PathPart("Id of what can be booked.", "fitting"),
    "booking": PathPart("Number of a booking.", 1),
    "waiting": PathPart("Number of a place in a waiting list.", 1),
    "task": PathPart("Id of a task.", 1),
}
"""What the variable parts of paths mean, the same in every path."""
