"""Sources and their write keys."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from cauce.client.types.basics import Answer, Moment, Request
from cauce.client.types.quarantine import Reason

SourceName = Annotated[
    str, Meta(pattern="^[a-z0-9][a-z0-9._-]{0,62}$", description="Lower-case letters, digits and . _ -; it stays.")
]
Channel = Annotated[str, Meta(min_length=1, max_length=63, description="web, app, store, call_centre …")]
Region = Annotated[
    str, Meta(pattern="^[A-Z]{2}$", description="Country (ISO 3166) whose phone numbers need no prefix.")
]
UserIdKind = Annotated[
    str, Meta(pattern="^[a-z][a-z0-9_:]{0,63}$", description="Kind of identifier that `userId` of this source is.")
]
Mode = Annotated[
    Literal["observe", "quarantine"], Meta(description="What a broken contract does to an event of this source.")
]
SharedDevice = Annotated[bool, Meta(description="A till, tablet or kiosk: its device ids are evidence for nobody.")]
EventBytes = Annotated[int, Meta(ge=0, le=2**26, description="Bound of one event; 0 for the installation's.")]


class Source(Answer, frozen=True, kw_only=True):
    """One sender of events."""

    name: str
    channel: str
    region: str
    user_id_kind: str
    shared_device: bool
    mode: str
    enabled: bool
    event_bytes_max: int


class NewSource(Request, frozen=True, kw_only=True):
    """A source to add."""

    name: SourceName
    channel: Channel
    region: Region = "ES"
    user_id_kind: UserIdKind = "user_id"
    shared_device: SharedDevice = False
    mode: Mode = "quarantine"
    event_bytes_max: EventBytes = 0


class SourceChange(Request, frozen=True, kw_only=True):
    """What to change of a source; what is not named stays."""

    channel: Channel | UnsetType = UNSET
    region: Region | UnsetType = UNSET
    user_id_kind: UserIdKind | UnsetType = UNSET
    shared_device: SharedDevice | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    enabled: Annotated[bool, Meta(description="Whether its requests are taken in.")] | UnsetType = UNSET
    event_bytes_max: EventBytes | UnsetType = UNSET


class AddedSource(Answer, frozen=True, kw_only=True):
    """A source that was added, and its first write key, which is shown only now."""

    source: Source
    key: str


class NewKey(Answer, frozen=True, kw_only=True):
    """A write key, shown only now; afterwards it is known by its last characters, the `hint`."""

    source: str
    key: str
    hint: str


class Key(Answer, frozen=True, kw_only=True):
    """A write key as it may be shown."""

    source: str
    hint: str
    created: Moment
    revoked: Moment | None


class SourceItemsQuery(Request, frozen=True, kw_only=True):
    """How many of the latest ones."""

    limit: Annotated[int, Meta(ge=1, le=100, description="Most items of the answer.")] = 30


class SourceItem(Answer, frozen=True, kw_only=True):
    """One item as it came, and what became of it: *stored*, *quarantined*, *duplicate*, *suppressed* or *waiting*.

    `person` is the id of whose it is, for those who may read people, else empty. `raw` is what was sent, as text, for
    those who may see personal data; `is_cut` when it is longer.
    """

    position: int
    received: Moment
    connector: str
    type: str
    name: str
    event_id: str
    fate: str
    person: str
    reasons: list[Reason]
    raw: str
    is_cut: bool


class SourceItems(Answer, frozen=True, kw_only=True):
    """The latest items, newest first; so many `records` of the log were looked through, back to the moment `since`."""

    items: list[SourceItem]
    records: int
    since: Moment | None


System = Annotated[
    str, Meta(pattern="^[a-z][a-z0-9_]{0,62}$", description="Connector of the system: shopify, woocommerce, square …")
]
Purpose = Annotated[
    Literal["signing", "api"],
    Meta(description="*signing* checks what the system sends; *api* opens its own API to a poll."),
]
Address = Annotated[str, Meta(max_length=512)]


class Secret(Answer, frozen=True, kw_only=True):
    """A secret as it may be shown; the `hint` is how the SHA-256 of it begins."""

    source: str
    connector: str
    purpose: str
    hint: str
    created: Moment
    revoked: Moment | None


class NewSecret(Request, frozen=True, kw_only=True):
    """A secret that a source shares with a system. No answer ever shows it again."""

    connector: System
    secret: Annotated[str, Meta(description="16–512 letters, digits and signs, as the system shows them.")]
    purpose: Purpose = "signing"


class Connection(Answer, frozen=True, kw_only=True):
    """Where a source and a system find each other, and until when everything was fetched from its API."""

    source: str
    connector: str
    public_url: str
    api_url: str
    reconciled: Moment | None


class Addresses(Request, frozen=True, kw_only=True):
    """Addresses of a connection; what is not named stays, an empty one is taken away."""

    public_url: Annotated[Address, Meta(description="Where the system sends to, as configured there.")] | UnsetType = (
        UNSET
    )
    api_url: Annotated[Address, Meta(description="Where the system's own API answers.")] | UnsetType = UNSET
