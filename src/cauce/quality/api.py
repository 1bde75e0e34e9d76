"""What doors and downstream may ask about quality, and the bodies of the decisions that they may take."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from cauce.engines.api import Reader
from cauce.errors import Conflict, DefinitionInvalid, NotFound
from cauce.model import DAY, HOUR, Fate, to_iso
from cauce.quality import store
from cauce.quality.codes import REASONS
from cauce.quality.contract import Book, Contract, parse, parse_unknown
from cauce.quality.mending import Mend
from cauce.quality.rules import mentions, merged, place, raw_text
from cauce.quality.stage import book_of, erase_entries, id_of_item, recount
from cauce.quality.starter import read, starter_compiled
from cauce.quality.store import Entry

__all__ = [
    "QUALITY_TABLES",
    "REASONS",
    "Balance",
    "Breach",
    "ContractInForce",
    "Entry",
    "Group",
    "Quality",
    "Trend",
    "Which",
    "contract_request",
    "erase_entries",
    "id_of_item",
    "mentions",
    "merged",
    "raw_text",
    "read",
    "recount",
]

QUALITY_TABLES = store.TABLES

REPLAY_MAX = 100_000
"""Entries in one decision; its body must stay readable in one piece."""

COUNTED_BY = ("source", "hour", "channel", "name", "day")
STATES = ("open", "replayed", "dropped", "erased")
_FATES = tuple(fate.value for fate in Fate)


class Balance(msgspec.Struct, frozen=True):
    """Items of one source by fate. `received` was counted on its own, at entry, so `adds_up` is a check."""

    source: str
    received: int
    stored: int
    quarantined: int
    duplicate: int
    suppressed: int
    adds_up: bool


class Group(msgspec.Struct, frozen=True):
    """Entries with one reason at one place: how many, since when, and the first of them as an example."""

    code: str
    path: str
    expected: str
    source: str
    name: str
    count: int
    example: int


class Trend(msgspec.Struct, frozen=True):
    """A group, with its open entries by day of receipt (days since 1970, UTC) and the moment of the latest one."""

    group: Group
    days: dict[int, int]
    last: int


class Which(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which entries are meant; what is empty lets all pass.

    `reason` is a code and `path` its place as a group names it (`*` for every position in a list). Days are those of
    receipt, as days since 1970 (UTC), both included.
    """

    source: str = ""
    reason: str = ""
    path: str = ""
    name: str = ""
    state: str = "open"
    day_first: int = 0
    day_last: int = 0

    def fits(self, entry: Entry) -> bool:
        """Whether an entry has the reason at that very place."""
        if not self.reason and not self.path:
            return True
        return any(
            reason.code == (self.reason or reason.code) and (not self.path or place(reason.path) == self.path)
            for reason in entry.reasons
        )


class Breach(msgspec.Struct, frozen=True):
    """A reason of events that were stored although they break their contract; `example` is the last one's position."""

    source: str
    contract: str
    code: str
    path: str
    expected: str
    count: int
    first_day: str
    last_day: str
    example: int


class ContractInForce(msgspec.Struct, frozen=True):
    """A contract and where it comes from: `version` 0 is a starter contract, else the n-th decision about it."""

    key: str
    contract: Contract
    version: int
    decided: int
    decided_by: str


class Quality:
    """Questions about fates, quarantine and contracts, answered from one reader.

    `connector_of` gives the connectors of the records in which items at some positions came, for `replay_request`.
    """

    def __init__(self, reader: Reader, connector_of: Callable[[Iterable[int]], dict[int, str]] | None = None) -> None:
        self._reader = reader
        self._connector_of = connector_of

    def balance(self) -> list[Balance]:
        """Every source's items by fate, and whether received = stored + quarantined + duplicate + suppressed."""
        by_source: dict[str, dict[str, int]] = {}
        for source, fate, count in self._reader.select(
            "select source, fate, sum(count) from quality_count group by source, fate order by source"
        ):
            by_source.setdefault(source, {})[fate] = int(count)
        return [_balance(source, counts) for source, counts in by_source.items()]

    def counts(self, by: str = "source") -> list[dict[str, Any]]:
        """Counters, one mapping per row. *source*, *hour*: items by fate; *channel*, *name*, *day*: stored events.

        Hours and days are those of receipt, in UTC (ISO 8601).
        """
        if by not in COUNTED_BY:
            raise NotFound(f"nothing is counted by {by!r}", hint=f"Known: {', '.join(COUNTED_BY)}")
        if by in ("source", "hour"):
            rows = self._reader.select(
                f"select {by}, fate, sum(count) from quality_count group by {by}, fate order by {by}"
            )
            found: dict[Any, dict[str, Any]] = {}
            for value, fate, count in rows:
                label = to_iso(value * HOUR) if by == "hour" else value
                empty = {by: label, store.RECEIVED: 0, **dict.fromkeys(_FATES, 0)}
                found.setdefault(value, empty)[fate] = int(count)
            return list(found.values())
        order = "day" if by == "day" else "3 desc, 1"
        column = {"channel": "channel, ''", "name": "name, ''", "day": "day, ''"}[by]
        rows = self._reader.select(f"select {column}, sum(count) from quality_name group by {by} order by {order}")
        return [{by: _day(value) if by == "day" else value, "stored": int(count)} for value, _, count in rows]

    def hours(self, source: str, since: int) -> list[dict[str, int]]:
        """A source's items by fate in each hour of receipt from the moment `since` on, the earliest hour first.

        `hour` is its beginning (microseconds UTC); hours in which nothing came are left out.
        """
        found: dict[int, dict[str, int]] = {}
        for hour, fate, count in self._reader.select(
            "select hour, fate, count from quality_count where source = ? and hour >= ? order by hour",
            (source, since // HOUR),
        ):
            empty = {"hour": hour * HOUR, store.RECEIVED: 0, **dict.fromkeys(_FATES, 0)}
            found.setdefault(hour, empty)[fate] = int(count)
        return list(found.values())

    def names(self, since: int) -> list[tuple[str, str, int, int]]:
        """(channel, name, stored in all, stored on days of receipt from the moment `since` on) of stored events."""
        rows = self._reader.select(
            "select channel, name, sum(count), sum(case when day >= ? then count else 0 end) from quality_name "
            "group by channel, name order by channel, name",
            (since // DAY,),
        )
        return [(channel, name, int(total), int(lately)) for channel, name, total, lately in rows]

    def last_hour(self, source: str) -> int | None:
        """The beginning of the hour in which a source's last items were received, None when none ever were."""
        (hour,) = self._reader.select("select max(hour) from quality_count where source = ?", (source,))[0]
        return None if hour is None else int(hour) * HOUR

    def events(self, channel: str | None = None) -> list[dict[str, Any]]:
        """Stored events by channel, name and day of receipt, the latest day first."""
        where, parameters = ("where channel = ? ", [channel]) if channel else ("", [])
        rows = self._reader.select(
            f"select channel, name, day, count from quality_name {where}order by day desc, channel, name", parameters
        )
        return [{"channel": row[0], "name": row[1], "day": _day(row[2]), "stored": row[3]} for row in rows]

    def entries(
        self,
        *,
        source: str | None = None,
        reason: str | None = None,
        name: str | None = None,
        state: str = "open",
        after: int = 0,
        limit: int = 50,
    ) -> list[Entry]:
        """Quarantined items with position > `after`, by position; `reason` is a code, `state` "" means any."""
        if state and state not in STATES:
            raise NotFound(f"no entry is ever {state!r}", hint=f"Known: {', '.join(STATES)}")
        if not 1 <= limit <= REPLAY_MAX:
            raise DefinitionInvalid(f"expected limit to be 1–{REPLAY_MAX} entries, got {limit}")
        conditions, parameters = ["position > ?"], [after]
        for column, value in (("source", source), ("name", name), ("state", state or None)):
            if value is not None:
                conditions.append(f"{column} = ?")
                parameters.append(value)  # type: ignore[arg-type]
        if reason is not None:
            if not re.fullmatch("[a-z_]+", reason):
                raise DefinitionInvalid(f"expected the code of a reason, got {reason!r}")
            conditions.append("reasons like ? escape '!'")
            parameters.append(f'%"code":"{reason.replace("_", "!_")}"%')  # type: ignore[arg-type]
        return store.entries_where(self._reader, " and ".join(conditions), parameters, limit)

    def entry(self, position: int) -> Entry:
        """The quarantined item at a position; NotFound when there is none."""
        found = store.entries_at(self._reader, [position])
        if not found:
            raise NotFound(f"no event at position {position} was quarantined", hint="See `cauce quarantine list`")
        return found[0]

    def groups(self, source: str | None = None) -> list[Group]:
        """Open entries by reason, place, source and event name, the largest group first."""
        where, parameters = (" and source = ?", [source]) if source else ("", [])
        rows = self._reader.select(
            "select source, name, reasons, count(*), min(position) from quarantine "
            f"where state = 'open'{where} group by source, name, reasons",
            parameters,
        )
        found: dict[tuple[str, str, str, str, str], tuple[int, int]] = {}
        for source_name, name, reasons, count, first in rows:
            keys = {
                (reason.code, place(reason.path), reason.expected, source_name, name)
                for reason in store.reasons_of(reasons)
            }
            for key in keys:
                total, example = found.get(key, (0, first))
                found[key] = (total + count, min(example, first))
        ordered = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))
        return [Group(*key, count, example) for key, (count, example) in ordered]

    def trends(self, source: str = "") -> list[Trend]:
        """Open entries by reason, place, source and event name, with their days; the largest group first."""
        where, parameters = (" and source = ?", [source]) if source else ("", [])
        rows = self._reader.select(
            f"select source, name, reasons, received / {DAY}, count(*), min(position), max(received) from quarantine "
            f"where state = 'open'{where} group by source, name, reasons, received / {DAY}",
            parameters,
        )
        found: dict[tuple[str, str, str, str, str], list[Any]] = {}
        for source_name, name, reasons, day, count, first, last in rows:
            keys = {
                (reason.code, place(reason.path), reason.expected, source_name, name)
                for reason in store.reasons_of(reasons)
            }
            for key in keys:
                group = found.setdefault(key, [0, first, last, Counter()])
                group[0] += count
                group[1] = min(group[1], first)
                group[2] = max(group[2], last)
                group[3][int(day)] += count
        ordered = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))
        return [Trend(Group(*key, count, first), dict(days), last) for key, (count, first, last, days) in ordered]

    def page(self, which: Which, *, before: int = 0, after: int | None = None, limit: int = 50) -> list[Entry]:
        """Entries newest first with position < `before` (0: from the newest); with `after`, oldest first behind that.

        Goes on until `limit` entries are found, or there are no more.
        """
        if not 1 <= limit <= REPLAY_MAX:
            raise DefinitionInvalid(f"expected limit to be 1–{REPLAY_MAX} entries, got {limit}")
        conditions, parameters = _conditions(which)
        rising, edge = after is not None, after or before
        found: list[Entry] = []
        while len(found) < limit:
            bound = [] if edge <= 0 else [f"position {'>' if rising else '<'} ?"]
            entries = store.entries_where(
                self._reader,
                " and ".join([*conditions, *bound]) or "1 = 1",
                [*parameters, edge] if bound else parameters,
                limit,
                newest_first=not rising,
            )
            found += [entry for entry in entries if which.fits(entry)]
            if len(entries) < limit:
                break
            edge = entries[-1].position
        return found[:limit]

    def count(self, which: Which) -> int:
        """How many entries are meant; a bound from above where `path` names places in lists of lists."""
        conditions, parameters = _conditions(which)
        where = " and ".join(conditions) or "1 = 1"
        return int(self._reader.select(f"select count(*) from quarantine where {where}", parameters)[0][0])

    def states(self) -> dict[str, int]:
        """How many entries there are in each state."""
        rows = self._reader.select("select state, count(*) from quarantine group by state")
        return {**dict.fromkeys(STATES, 0), **{state: int(count) for state, count in rows}}

    def facets(self) -> dict[str, list[str]]:
        """Sources and event names that entries have."""
        return {
            column: [
                value
                for (value,) in self._reader.select(f"select distinct {column} from quarantine order by {column}")
                if value
            ]
            for column in ("source", "name")
        }

    def book(self) -> Book:
        """The contracts in force, ready to judge events."""
        rows = self._reader.select("select * from quality_contract")
        return book_of(Book(starter_compiled()), rows)

    def breaches(self) -> list[Breach]:
        """Reasons of events that were stored although they break their contract, the most frequent first."""
        rows = self._reader.select(
            "select source, contract, code, path, max(expected), sum(count), min(day), max(day), max(example) "
            "from quality_breach group by source, contract, code, path order by 6 desc, 1, 2, 3, 4"
        )
        return [
            Breach(source, contract, code, path, expected, int(count), _day(first), _day(last), example)
            for source, contract, code, path, expected, count, first, last, example in rows
        ]

    def contracts(self) -> list[ContractInForce]:
        """The contracts in force: the starter ones, changed by what was decided; by key."""
        rows = {row[0]: row for row in self._reader.select("select * from quality_contract")}
        book = book_of(Book(starter_compiled()), rows.values())
        found = []
        for compiled in book.contracts:
            _, _, _, version, decided, by = rows.get(compiled.key, (compiled.key, "", "", 0, 0, ""))
            found.append(ContractInForce(compiled.key, compiled.contract, version, decided, by))
        return sorted(found, key=lambda contract: contract.key)

    def contract_versions(self) -> dict[str, int]:
        """How often each contract was decided about: changes whenever a contract does."""
        return {key: int(version) for key, version in self._reader.select("select key, version from quality_contract")}

    def unknown(self) -> dict[str, str]:
        """What happens to `track` events without contract: by source; the source "" is the default."""
        rows = self._reader.select("select * from quality_contract")
        return {"": "accept", **book_of(Book(), [row for row in rows if row[0].startswith("unknown")]).unknown}

    def replay_request(
        self, positions: Iterable[int] | dict[str, Any], patch: Any = None, raw: Any = None
    ) -> dict[str, Any]:
        """The body of a `quarantine.replayed` decision: open entries as they shall come again.

        `positions`, or a filter (the arguments of `entries`: source, reason, name). `patch` is a JSON merge patch for
        all of them; `raw` is a whole new item for a single one. Raises NotFound when there is nothing to replay,
        Conflict when an entry is not open or cannot be patched.
        """
        chosen = self._chosen(positions)
        if raw is not None and len(chosen) != 1:
            raise Conflict(f"a new item was given for {len(chosen)} entries", hint="Give a patch, or one position")
        if raw is not None:
            return self.request_of([(chosen[0], raw)])
        return self.request_of([(entry, _patched(entry, patch)) for entry in chosen])

    def request_of(self, mended: Sequence[tuple[Entry, Any]]) -> dict[str, Any]:
        """The body of a `quarantine.replayed` decision from entries and their new items, in that order."""
        connectors = self._connector_of(entry.position for entry, _ in mended) if self._connector_of else {}
        return {
            "items": [
                {
                    "position": entry.position,
                    "source": entry.source,
                    "channel": entry.channel,
                    "connector": connectors.get(entry.position, ""),
                    "received": entry.received,
                    "form": entry.form if isinstance(raw, str) and entry.form != "json" else "json",
                    "raw": raw,
                }
                for entry, raw in mended
            ]
        }

    def drop_request(self, positions: Iterable[int] | dict[str, Any], why: str) -> dict[str, Any]:
        """The body of a `quarantine.dropped` decision for open entries; `why` goes into the audit trail."""
        return {"positions": [entry.position for entry in self._chosen(positions)], "why": why}

    def mentioning(self, identifiers: Sequence[str]) -> list[int]:
        """Positions of quarantined items, in any state, that contain one of the identifiers (`kind:value`)."""
        return [
            entry.position for entry in store.all_entries(self._reader) if mentions(entry.form, entry.raw, identifiers)
        ]

    def _chosen(self, positions: Iterable[int] | dict[str, Any]) -> list[Entry]:
        if isinstance(positions, dict):
            chosen = self.entries(**{**positions, "state": "open", "limit": REPLAY_MAX})
        else:
            chosen = [self.entry(position) for position in sorted(set(positions))]
        if not chosen:
            raise NotFound("no open entry of the quarantine matches", hint="See `cauce quarantine list`")
        for entry in chosen:
            if entry.state != "open":
                raise Conflict(f"entry {entry.position} was already {entry.state} by {entry.decided_by or 'somebody'}")
        return chosen


def contract_request(document: Any) -> dict[str, Any]:
    """The body of a `contract.applied` decision from a contract set; DefinitionInvalid when that makes no sense."""
    if not isinstance(document, dict) or not isinstance(document.get("contracts", []), list):
        raise DefinitionInvalid("expected a contract set to be a mapping with a list of contracts")
    for definition in document.get("contracts", []):
        parse(definition)
    body: dict[str, Any] = {"contracts": document.get("contracts", [])}
    if "unknown" in document:
        given = document["unknown"]
        for setting in given.values() if isinstance(given, dict) else [given]:
            parse_unknown(setting)
        body["unknown"] = given
    return body


def mended(entry: Entry, mend: Mend) -> Any:
    """The item of an entry after changes; Conflict when there are some and the item is no JSON."""
    if not mend:
        return entry.document()
    if entry.form != "json":
        raise Conflict(f"entry {entry.position} is no JSON, so it cannot be patched", hint="Edit it by itself")
    return mend.applied(entry.document())


def _conditions(which: Which) -> tuple[list[str], list[Any]]:
    """SQL conditions of a choice, and their parameters."""
    if which.state and which.state not in STATES:
        raise NotFound(f"no entry is ever {which.state!r}", hint=f"Known: {', '.join(STATES)}")
    if which.reason and not re.fullmatch("[a-z_]+", which.reason):
        raise DefinitionInvalid(f"expected the code of a reason, got {which.reason!r}")
    conditions: list[str] = []
    parameters: list[Any] = []
    for column in ("state", "source", "name"):
        if value := getattr(which, column):
            conditions.append(f"{column} = ?")
            parameters.append(value)
    for day, sign, shift in ((which.day_first, ">=", 0), (which.day_last, "<", 1)):
        if day:
            conditions.append(f"received {sign} ?")
            parameters.append((day + shift) * DAY)
    if which.reason or which.path:
        told = f'"code":"{which.reason}"' if which.reason else ""
        place_told = _like(f'"path":{msgspec.json.encode(which.path).decode()}') if which.path else ""
        pattern = _like(told) + ("," if told and place_told else "") + place_told
        conditions.append("reasons like ? escape '!'")
        parameters.append(f"%{pattern}%")
    return conditions, parameters


def _like(text: str) -> str:
    """A pattern of LIKE for a text in which `*` stands for anything; its escape character is `!`."""
    escaped = re.sub("[!%_]", lambda found: f"!{found[0]}", text)
    # A place is cut at 200 characters, so a long one may go on.
    return escaped.replace("*", "%") if len(text) < 200 else escaped[:150].replace("*", "%")


def _patched(entry: Entry, patch: Any) -> Any:
    if patch is None:
        return entry.document()
    if entry.form != "json":
        raise Conflict(f"entry {entry.position} is no JSON, so it cannot be patched", hint="Edit it by itself")
    return merged(entry.document(), patch)


def _balance(source: str, counts: dict[str, int]) -> Balance:
    received = counts.get(store.RECEIVED, 0)
    fates = {fate: counts.get(fate, 0) for fate in _FATES}
    adds_up = received == sum(fates.values()) and min(fates.values()) >= 0
    return Balance(source=source, received=received, adds_up=adds_up, **fates)


def _day(day: int) -> str:
    return to_iso(day * DAY)[:10]
