"""What SQL sees of the state beside the events: people, identifiers, links and traits as columns."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from cauce.engines.api import Reader, Table
from cauce.events.sql import View
from cauce.profiles import strand
from cauce.profiles.api import Profiles
from cauce.profiles.golden import golden_traits

_DIGITS = np.frombuffer(b"0123456789abcdefghjkmnpqrstvwxyz", dtype=np.uint8)
_MOMENT = pa.timestamp("us", tz="UTC")

_IDENTIFIER = Table(
    "identifier",
    (("id", "integer"), ("kind", "text"), ("value", "text"), ("first_occurred", "integer"), ("person", "integer")),
    ("id",),
)
_LINK = Table(
    "link",
    (
        ("id", "integer"), ("low", "integer"), ("high", "integer"), ("support", "integer"), ("occurred", "integer"),
        ("source", "text"), ("event", "text"), ("rule", "text"),
    ),
    ("id",),
)  # fmt: skip
_LEDGERS = Table("ledger", (("subject", "integer"), ("body", "blob")), ("subject",))
_WORDS = Table("steward_word", (("subject", "integer"), ("body", "blob")), ("subject",))


def sql_views(profiles: Callable[[], Profiles]) -> dict[str, View]:
    """The views `people`, `identifiers`, `links` and `traits`; `profiles` gives those of the calling thread."""
    return {
        "identifiers": _identifiers,
        "links": _links,
        "people": _people,
        "traits": lambda reader: _traits(reader, profiles()),
    }


def person_texts(ids: Any) -> pa.Array:
    """Person ids as they are shown, `p_` and 13 characters of base 32; a million in a fifth of a second."""
    numbers = np.asarray(ids, dtype=np.int64)
    shifts = np.arange(60, -1, -5, dtype=np.int64)
    digits = _DIGITS[(numbers[:, None] >> shifts) & 31]
    marked = np.concatenate([np.broadcast_to(np.frombuffer(b"p_", np.uint8), (len(numbers), 2)), digits], axis=1)
    offsets = np.arange(0, 15 * len(numbers) + 1, 15, dtype=np.int32)
    return pa.StringArray.from_buffers(
        len(numbers), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(marked).tobytes())
    )


def _columns(reader: Reader, table: Table) -> dict[str, list[Any]]:
    """All rows of a table, by column."""
    found: dict[str, list[Any]] = {name: [] for name in table.names}
    for rows in reader.scan_all(table):
        for name, values in zip(table.names, zip(*rows, strict=True), strict=True):
            found[name].extend(values)
    return found


def _identifiers(reader: Reader) -> pa.Table:
    found = _columns(reader, _IDENTIFIER)
    return pa.table(
        {
            "id": pa.array(found["id"], pa.int64()),
            "kind": pa.array(found["kind"], pa.string()),
            "value": pa.array(found["value"], pa.string()),
            "person": person_texts(found["person"]),
            "first_occurred": pa.array(found["first_occurred"], pa.int64()).cast(_MOMENT),
        }
    )


def _people(reader: Reader) -> pa.Table:
    identifiers = _identifiers(reader).select(["person", "first_occurred"])
    people = identifiers.group_by("person").aggregate([("person", "count"), ("first_occurred", "min")])
    return people.select(["person", "person_count", "first_occurred_min"]).rename_columns(
        ["person", "identifiers", "first_occurred"]
    )


def _links(reader: Reader) -> pa.Table:
    """Evidence by pair: `a` and `b` are ids of identifiers, and `kind:value` stands beside each."""
    identifiers = _columns(reader, _IDENTIFIER)
    shown = {
        id: f"{kind}:{value}"
        for id, kind, value in zip(identifiers["id"], identifiers["kind"], identifiers["value"], strict=True)
    }
    found = _columns(reader, _LINK)
    return pa.table(
        {
            "a": pa.array(found["low"], pa.int64()),
            "b": pa.array(found["high"], pa.int64()),
            "a_identifier": pa.array([shown.get(id) for id in found["low"]], pa.string()),
            "b_identifier": pa.array([shown.get(id) for id in found["high"]], pa.string()),
            "support": pa.array(found["support"], pa.int64()),
            "occurred": pa.array(found["occurred"], pa.int64()).cast(_MOMENT),
            "source": pa.array(found["source"], pa.string()),
            "event": pa.array(found["event"], pa.string()),
            "rule": pa.array(found["rule"], pa.string()),
        }
    )


def _traits(reader: Reader, profiles: Profiles) -> pa.Table:
    """A row per person and trait: the golden record (with the source that won) and the computed traits."""
    identifiers = _columns(reader, _IDENTIFIER)
    person_of = dict(zip(identifiers["id"], identifiers["person"], strict=True))
    rows = [*_golden_rows(reader, profiles, person_of), *_computed_rows(profiles, person_of)]
    people, names, sorts, values, sources, moments = zip(*rows, strict=True) if rows else ((),) * 6
    return pa.table(
        {
            "person": person_texts(people),
            "name": pa.array(names, pa.string()),
            "sort": pa.array(sorts, pa.string()),
            "value": pa.array(values, pa.string()),
            "source": pa.array(sources, pa.string()),
            "occurred": pa.array(moments, pa.int64()).cast(_MOMENT),
        }
    )


def _golden_rows(reader: Reader, profiles: Profiles, person_of: dict[int, int]) -> Iterator[tuple[Any, ...]]:
    ledgers: dict[int, list[tuple[int, Any]]] = defaultdict(list)
    words: dict[int, list[tuple[int, Any]]] = defaultdict(list)
    for table, told in ((_LEDGERS, ledgers), (_WORDS, words)):
        for rows in reader.scan_all(table):
            for subject, body in rows:
                if subject in person_of:
                    said = strand.decode(body)
                    told[person_of[subject]].append((subject, said[0] if table is _LEDGERS else said))
    rules = profiles.survivorship()
    for person in sorted(ledgers.keys() | words.keys()):
        for name, trait in golden_traits(ledgers[person], words[person], rules).items():
            if trait.value is not None:
                yield person, name, "golden", _json(trait.value), trait.source, trait.occurred


def _computed_rows(profiles: Profiles, person_of: dict[int, int]) -> Iterator[tuple[Any, ...]]:
    now = time.time_ns() // 1_000
    for person, values in profiles.live_values(person_of, now):
        for name, value in values.items():
            if value is not None:
                yield person, name, "computed", _json(value), None, None


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
