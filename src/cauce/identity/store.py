"""Tables of identity and the named queries over them; private to this capability."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from cauce.engines.api import Reader, Row, Table
from cauce.identity.partition import Known, Link
from cauce.identity.rules import Rules
from cauce.identity.rulings import Decision

IDENTIFIER = Table(
    "identifier",
    (
        ("id", "integer"), ("kind", "text"), ("value", "text"), ("first_occurred", "integer"),
        ("known_since", "integer"), ("flags", "integer"), ("component", "integer"), ("person", "integer"),
    ),
    ("id",),
    layout="heap",
    indexes=(("component",),),
)  # fmt: skip
"""`person` is the id of the group's oldest identifier; a person lies within one `component` (0: too large to solve)."""

LINK = Table(
    "link",
    (
        ("id", "integer"), ("low", "integer"), ("high", "integer"), ("support", "integer"), ("occurred", "integer"),
        ("source", "text"), ("event", "text"), ("position", "integer"), ("rule", "text"), ("known_since", "integer"),
    ),
    ("id",),
    layout="heap",
    indexes=(("low",), ("high",)),
    fixed=("low", "high"),
)  # fmt: skip
"""Two identifiers (`low` < `high`) that events named together; the columns from `occurred` on tell of the earliest."""

DECISION = Table(
    "identity_decision",
    (
        ("id", "integer"), ("low", "integer"), ("high", "integer"), ("what", "text"), ("active", "integer"),
        ("a", "text"), ("b", "text"), ("position", "integer"), ("occurred", "integer"), ("author", "text"),
        ("why", "text"),
    ),
    ("id",),
)  # fmt: skip
"""The latest word of each sort (refused, joined, retracted) about each pair."""

RULES = Table(
    "identity_rules",
    (("position", "integer"), ("occurred", "integer"), ("author", "text"), ("body", "text")),
    ("position",),
)
"""Every version of the rules that was applied, the last of which holds."""

ERASURE = Table("identity_erasure", (("id", "integer"), ("position", "integer"), ("suppress", "integer")), ("id",))
"""Erased identifiers (keyed hashes only): events before `position` are gone, later ones suppressed or not."""

TABLES = (IDENTIFIER, LINK, DECISION, RULES, ERASURE)

_KNOWN = f"select {', '.join(IDENTIFIER.names)} from identifier"
_LINK = f"select {', '.join(LINK.names)} from link"


def identifiers(reader: Reader, ids: Iterable[int]) -> list[Known]:
    """Identifiers by id, those that exist."""
    return [Known(*row) for row in reader.select_keys(f"{_KNOWN} where id in {{keys}}", ids)]


def identifiers_after(reader: Reader, id: int, limit: int) -> list[Known]:
    """The next identifiers in order of id."""
    return [Known(*row) for row in reader.select(f"{_KNOWN} where id > ? order by id limit ?", (id, limit))]


def components(reader: Reader, ids: Iterable[int]) -> list[Known]:
    """All identifiers of some components."""
    return [Known(*row) for row in reader.select_keys(f"{_KNOWN} where component in {{keys}}", ids)]


def members(reader: Reader, component: int, person: int) -> list[Known]:
    """Identifiers of one person, found through its component."""
    return [Known(*row) for row in reader.select(f"{_KNOWN} where component = ? and person = ?", (component, person))]


def links(reader: Reader, ids: Iterable[int]) -> list[Link]:
    """Links by their keys."""
    return [Link(*row) for row in reader.select_keys(f"{_LINK} where id in {{keys}}", ids)]


def links_of(reader: Reader, identifier_ids: Iterable[int]) -> list[Link]:
    """Links that touch any of the identifiers, each once."""
    wanted = set(identifier_ids)
    found = {}
    for side in ("low", "high"):
        for row in reader.select_keys(f"{_LINK} where {side} in {{keys}}", wanted):
            found[row[0]] = Link(*row)
    return list(found.values())


def all_identifiers(reader: Reader) -> Iterator[Known]:
    for rows in reader.scan_all(IDENTIFIER):
        for row in rows:
            yield Known(*row)


def all_links(reader: Reader) -> Iterator[Link]:
    for rows in reader.scan_all(LINK):
        for row in rows:
            yield Link(*row)


def decisions(reader: Reader) -> dict[int, Decision]:
    """Stewards' decisions by key."""
    rows = reader.select(f"select {', '.join(DECISION.names)} from identity_decision")
    return {row[0]: Decision(*row) for row in rows}


def erasures(reader: Reader) -> dict[int, tuple[int, int]]:
    """Erased identifiers: id → (position of the erasure, suppress)."""
    return {row[0]: (row[1], row[2]) for row in reader.select("select id, position, suppress from identity_erasure")}


def rules_version(reader: Reader) -> int:
    """Position of the decision that applied the present rules; 0 for the packaged ones."""
    return int(reader.select("select coalesce(max(position), 0) from identity_rules")[0][0])


def rules(reader: Reader) -> Rules | None:
    """The rules that were applied last; None when none ever were."""
    rows = reader.select("select body from identity_rules order by position desc limit 1")
    return Rules.from_dict(msgspec.json.decode(rows[0][0])) if rows else None


def rules_rows(reader: Reader, limit: int) -> list[Row]:
    """(position, occurred, author, body) of the versions of the rules, latest first."""
    return reader.select(
        f"select {', '.join(RULES.names)} from identity_rules order by position desc limit ?", (limit,)
    )


def rules_body(rules: Rules) -> str:
    return msgspec.json.encode(rules.as_dict()).decode()


def largest_people(reader: Reader, limit: int) -> list[tuple[int, int]]:
    """(person, identifiers) of the largest groups, largest first."""
    rows = reader.select(
        "select person, count(*) as members from identifier group by person having count(*) > 1"
        " order by members desc, person limit ?",
        (limit,),
    )
    return [(row[0], row[1]) for row in rows]


def crowded(reader: Reader, kinds: Sequence[str], count: int, limit: int) -> list[Row]:
    """(person, kind, identifiers) of people with at least `count` identifiers of one of the kinds, most first."""
    marks = ",".join("?" * len(kinds))
    return reader.select(
        f"select person, kind, count(*) as members from identifier where kind in ({marks}) group by person, kind"
        " having count(*) >= ? order by members desc, person, kind limit ?",
        (*kinds, count, limit),
    )


def latest_links(reader: Reader, limit: int) -> list[Link]:
    """The links that were seen first most lately, newest first."""
    return [Link(*row) for row in reader.select(f"{_LINK} order by known_since desc, id limit ?", (limit,))]


def with_flag(reader: Reader, flag: int, limit: int) -> list[Known]:
    """Identifiers that carry a flag, earliest first."""
    rows = reader.select(f"{_KNOWN} where flags & ? != 0 order by first_occurred, id limit ?", (flag, limit))
    return [Known(*row) for row in rows]


def growth(reader: Reader, since: int) -> Row:
    """(identifiers, persons, persons new since, identifiers new since that joined an older one), in one pass."""
    return reader.select(
        "select count(*), count(case when id = person then 1 end), "
        "count(case when id = person and known_since >= ? then 1 end), "
        "count(case when id <> person and known_since >= ? then 1 end) from identifier",
        (since, since),
    )[0]


def counts(reader: Reader) -> Row:
    """(identifiers, persons, links)."""
    found: tuple[Any, ...] = (
        *reader.select("select count(*), count(distinct person) from identifier")[0],
        reader.select("select count(*) from link")[0][0],
    )
    return found
