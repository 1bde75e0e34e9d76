"""SQL for somebody: with personal values for those who may see them, over masked copies for everybody else."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cauce.access.api import Actor
from cauce.access.control import Control
from cauce.app.sql_views import person_texts, sql_views
from cauce.engines.api import Reader
from cauce.errors import Busy, NotFound
from cauce.events.masking import Shield, Showing, Shows
from cauce.events.queries import Queries
from cauce.events.sql import Asking, Limits, Result, Sql, View
from cauce.profiles.api import Profiles
from cauce.profiles.definitions import Definition
from cauce.profiles.masking import PUBLIC_TRAITS, masked_trait
from cauce.quality.api import Quality
from cauce.quality.personal import CONTEXT, impersonal
from cauce.settings import Settings

NUMBERS = frozenset({"count", "sum", "average", "min", "max", "unique_count", "days_since"})
"""Computed traits that are numbers: they lead to nobody."""


AT_ONCE_MAX = 2
"""Statements of doors that run at once: the other reader threads go on answering pages."""
KEPT_MAX = 100
KEPT_BYTES_MAX = 128 * 1024 * 1024
KEPT_SECONDS = 1_800


class Installation(Protocol):
    """What questions need of an open installation; views are those of the calling thread."""

    settings: Settings
    secret: bytes
    control: Control
    history_path: Path

    @property
    def reader(self) -> Reader: ...
    @property
    def quality(self) -> Quality: ...
    @property
    def profiles(self) -> Profiles: ...


class Answer(msgspec.Struct, frozen=True):
    """Rows of a statement of somebody; `key` finds them again for a while. `masked` when personal values are not in."""

    key: str
    statement: str
    result: Result
    seconds: float
    masked: bool


def owner_of(actor: Actor) -> str:
    """Whose statements somebody's are: an account's, in whatever way it comes in, or a token's own."""
    return f"account:{actor.account}" if actor.account else f"{actor.kind}:{actor.token or actor.name}"


class Questions:
    """SQL for whoever asks through a door, by what they may see; one per platform, any number of threads. Close it."""

    def __init__(self, platform: Installation, clock: Callable[[], float] = time.monotonic) -> None:
        self._platform = platform
        self._clock = clock
        self._lock = threading.Lock()
        self._shield: Shield | None = None
        self._decided: dict[str, int] = {}
        self._running: dict[tuple[str, str], Asking] = {}
        self._kept: OrderedDict[tuple[str, str], tuple[Answer, float]] = OrderedDict()
        self.queries = Queries(platform.control)

    def ask(
        self,
        owner: str,
        statement: str,
        *,
        personal: bool,
        run: str = "",
        rows_max: int = 10_000,
        seconds: float = 30.0,
        keep: bool = True,
    ) -> Answer:
        """The answer to a statement, kept for its owner unless told not to; `run` is a name to stop it by.

        Busy when others are asking already; for the errors of statements see `Sql.query`.
        """
        run = run or secrets.token_hex(8)
        asking = Asking()
        with self._lock:
            if len(self._running) >= AT_ONCE_MAX or (owner, run) in self._running:
                raise Busy(
                    f"{len(self._running)} statements are running already", retry_after_seconds=5, hint="Try again soon"
                )
            self._running[owner, run] = asking
        started = self._clock()
        try:
            engine = self.engine(personal=personal, limits=Limits(seconds=seconds))
            result = engine.query(statement, rows_max=rows_max, asking=asking)
        finally:
            with self._lock:
                self._running.pop((owner, run), None)
        answer = Answer(secrets.token_urlsafe(12), statement, result, self._clock() - started, not personal)
        if keep:
            self._keep(owner, answer)
        return answer

    def stop(self, owner: str, run: str) -> bool:
        """Ends a running statement of somebody; False when none of that name runs."""
        with self._lock:
            asking = self._running.get((owner, run))
        if asking is not None:
            asking.stop()
        return asking is not None

    def again(self, owner: str, key: str) -> Answer:
        """An answer that somebody was given before; NotFound when it is not kept any more."""
        with self._lock:
            kept = self._kept.get((owner, key))
        if kept is None or self._clock() - kept[1] > KEPT_SECONDS:
            raise NotFound("this result is not kept any more", hint="Run the statement again")
        return kept[0]

    def _keep(self, owner: str, answer: Answer) -> None:
        with self._lock:
            self._kept[owner, answer.key] = answer, self._clock()
            while self._kept and (
                len(self._kept) > KEPT_MAX
                or self._clock() - next(iter(self._kept.values()))[1] > KEPT_SECONDS
                or sum(kept.result.table.nbytes for kept, _ in self._kept.values()) > KEPT_BYTES_MAX
            ):
                self._kept.popitem(last=False)

    def engine(self, *, personal: bool, limits: Limits | None = None) -> Sql:
        """The engine for a door: only questions about the views pass; without `personal` all values are masked."""
        platform = self._platform
        views = sql_views(lambda: platform.profiles)
        if personal:
            return Sql(platform.history_path, lambda: platform.reader, views, limits, strict=True)
        shield = self.shield()
        masked = masked_views(views, shield, platform.profiles.definitions)
        return Sql(platform.history_path, lambda: platform.reader, masked, limits, strict=True, shield=shield)

    def shield(self) -> Shield:
        """What makes the masked copies by the contracts in force; another one once they show something else."""
        decided = self._platform.quality.contract_versions()
        with self._lock:
            if self._shield is not None and self._decided == decided:
                return self._shield
        showing = showing_of(self._platform)
        with self._lock:
            if self._shield is None or self._shield.showing != showing:
                if self._shield is not None:
                    self._shield.forget()
                self._shield = Shield(self._platform.settings.folder, self._platform.secret, showing)
            self._decided = decided
            return self._shield

    def close(self) -> None:
        """Stops what runs, and deletes the masked copies."""
        with self._lock:
            running = list(self._running.values())
            self._kept.clear()
        for asking in running:
            asking.stop()
        with self._lock:
            if self._shield is not None:
                self._shield.forget()
            self._shield = None


def showing_of(platform: Installation) -> Showing:
    """What of events is shown to those who may not see personal data, by the contracts in force."""
    found = impersonal((each.contract, each.version == 0) for each in platform.quality.contracts())
    of = tuple(Shows(each.type, each.event, each.source, each.properties, each.traits) for each in found)
    return Showing(of, dict.fromkeys(sorted(PUBLIC_TRAITS), "VARCHAR"), CONTEXT)


def masked_views(
    views: Mapping[str, View], shield: Shield, definitions: Callable[[], Sequence[Definition]]
) -> dict[str, View]:
    """The views without personal values: identifiers become hashes that can still be joined and counted."""
    return {
        **views,
        "identifiers": partial(_identifiers, views["identifiers"]),
        "links": partial(_links, views["links"]),
        "traits": lambda reader: _traits(views["traits"](reader), shield, definitions()),
    }


def shows(showing: Showing, definition: Definition) -> bool:
    """Whether the values of a computed trait lead to nobody: numbers, and what contracts show of all its events."""
    if definition.compute in NUMBERS:
        return True
    head, _, rest = definition.property.partition(".")
    if head == "event":
        return True
    if head == "context" and rest:
        return _is_in(showing.context, rest.split("."))
    path = rest if head == "properties" and rest else definition.property
    if head == "traits" or not definition.events:
        return False
    for event in definition.events:
        found = [each for each in showing.of if each.event == event and each.type == "track"]
        if not found or not all(_is_in(each.properties, path.split(".")) for each in found):
            return False
    return True


def _is_in(tree: Any, steps: Sequence[str]) -> bool:
    for step in steps:
        key = step.removesuffix("[]")
        if not isinstance(tree, Mapping) or key not in tree:
            return False
        tree = tree[key]
        if step.endswith("[]"):
            if not isinstance(tree, Sequence) or isinstance(tree, str):
                return False
            tree = tree[0]
    return isinstance(tree, str)


def _hash_texts(ids: Any) -> pa.Array:
    """`h_…` by the id of an identifier, which is a keyed hash already."""
    return pc.binary_replace_slice(person_texts(np.asarray(ids, dtype=np.int64)), 0, 1, "h")


def _identifiers(view: View, reader: Reader) -> pa.Table:
    table = view(reader)
    place = table.column_names.index("value")
    return table.set_column(place, "value", _hash_texts(table.column("id").to_numpy()))


def _links(view: View, reader: Reader) -> pa.Table:
    table = view(reader)
    for end in ("a", "b"):
        name = f"{end}_identifier"
        kinds = pc.list_element(pc.split_pattern(table.column(name), ":", max_splits=1), 0)
        hashes = _hash_texts(table.column(end).to_numpy())
        table = table.set_column(
            table.column_names.index(name), name, pc.binary_join_element_wise(kinds, pa.chunked_array([hashes]), ":")
        )
    return table


def _traits(table: pa.Table, shield: Shield, definitions: Sequence[Definition]) -> pa.Table:
    """Golden traits as pages mask them; computed ones as they are, unless they hand values on that may be personal."""
    open_traits = {each.name for each in definitions if shows(shield.showing, each)}
    values = list(_masked_values(table, open_traits, shield))
    return table.set_column(table.column_names.index("value"), "value", pa.array(values, pa.string()))


def _masked_values(table: pa.Table, open_traits: set[str], shield: Shield) -> Iterator[str | None]:
    columns = (table.column(name).to_pylist() for name in ("name", "sort", "value"))
    for name, sort, value in zip(*columns, strict=True):
        if value is None:
            yield None
        elif sort == "computed" and name in open_traits:
            yield shield.guarded(value)
        elif sort == "computed":
            yield msgspec.json.encode(shield.hashed(value)).decode()
        else:
            yield msgspec.json.encode(masked_trait(name, msgspec.json.decode(value))).decode()
