"""Takes a person out of their orders: the order stays for the books, nobody's from now on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from cauce.commerce.orders.store import ORDERS, OWNERS
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.engines.api import Reader

DIGITS_MIN = 9
"""So many digits at the end of a telephone number make it the same, whether or not its country was written too."""
_NO_DIGITS = re.compile(r"[^0-9]")


class EraseFromOrders(Command, frozen=True, kw_only=True):
    """`owners` are all identifiers of the person (`kind:value`); `orders` those whose contact names one of them."""

    owners: tuple[str, ...]
    orders: tuple[int, ...] = ()


def erase(work: Work, command: EraseFromOrders) -> int:
    """How many orders it was. An order that is another person's too stays theirs, without contact and note."""
    wanted = set(command.owners)
    found = {row.order_id: None for owner in command.owners for row in work.select(OWNERS, "owner = ?", owner)}
    found.update(dict.fromkeys(command.orders))
    for id_ in found:
        order = work.need(ORDERS, id_)
        owners = msgspec.json.decode(order.owners, type=tuple[str, ...])
        for owner in wanted.intersection(owners):
            work.drop(OWNERS, owner, id_)
        left = msgspec.json.encode([owner for owner in owners if owner not in wanted]).decode()
        work.put(ORDERS, order._replace(owners=left, contact="{}", note=""))
    return len(found)


class Sought(NamedTuple):
    """How a person is known, for texts as people type them: values in small letters, digits of telephone numbers."""

    values: frozenset[str]
    numbers: frozenset[str]

    def is_named_by(self, text: str) -> bool:
        """Whether a text is one of the values, or of the numbers, in whatever case or notation."""
        said, digits = _plain(text), _NO_DIGITS.sub("", text)
        if said in self.values:
            return True
        return len(digits) >= DIGITS_MIN and any(number.endswith(digits) for number in self.numbers)


def sought(owners: Iterable[str]) -> Sought:
    """What to look for, for identifiers as `kind:value`."""
    pairs = [owner.partition(":")[::2] for owner in owners]
    numbers = (_NO_DIGITS.sub("", value) for kind, value in pairs if kind == "phone")
    return Sought(frozenset(_plain(value) for _, value in pairs), frozenset(numbers))


def _plain(text: str) -> str:
    return text.strip().casefold()


def contacted(reader: Reader, owners: Sequence[str]) -> tuple[int, ...]:
    """Orders whose contact is one of these identifiers: a guest's order has no owner, only what was typed."""
    person = sought(owners)
    rows = reader.select("select id, contact from customer_order where contact <> '{}'")
    contacts = ((id_, msgspec.json.decode(contact, type=dict[str, str])) for id_, contact in rows)
    return tuple(id_ for id_, contact in contacts if any(map(person.is_named_by, contact.values())))


ACTIONS = (Action(EraseFromOrders, erase, int),)
