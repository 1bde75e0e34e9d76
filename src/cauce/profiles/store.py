"""Tables of profiles and the queries on them; private to this package."""

from __future__ import annotations

from binascii import crc32
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from cauce.engines.api import Reader, Row, Table, Tables
from cauce.profiles import strand
from cauce.profiles.definitions import Definition, SurvivorshipRules

PULSES = Table("pulse", (("subject", "integer"), ("body", "blob")), ("subject",))
"""The part of each strand that every event writes: first and last time, counts, computed traits."""
LEDGERS = Table("ledger", (("subject", "integer"), ("body", "blob")), ("subject",))
"""The part of each strand that is written when traits or consents are told."""
WORDS = Table("steward_word", (("subject", "integer"), ("body", "blob")), ("subject",))
"""What stewards said of traits, by identifier: decisions, so a refold of the history does not touch them."""
TIMELINE = Table(
    "timeline",
    (("subject", "integer"), ("occurred", "integer"), ("position", "integer"), ("label", "integer")),
    ("subject", "occurred", "position"),
    layout="runs",
)
"""Which events a subject has, by time; `label` narrows by channel and name before bodies are read."""
COMPUTED = Table("computed_trait", (("slot", "integer"), ("name", "text"), ("body", "text")), ("slot",))
SURVIVORSHIP = Table("survivorship", (("id", "integer"), ("body", "text")), ("id",))
TABLES = (PULSES, LEDGERS, WORDS, TIMELINE, COMPUTED, SURVIVORSHIP)

SWEEP_ROWS = 2_000
SHORT_BITS = 16
SHORT_MASK = 0xFFFF


def short(text: str) -> int:
    """16 bits of a text."""
    return crc32(text.encode()) & SHORT_MASK


def label_of(channel: str, name: str) -> int:
    """32 bits that events of equal channel and name share; others may share them too, so bodies are checked."""
    return short(channel) << SHORT_BITS | short(name)


def bodies(reader: Reader, subjects: Mapping[Table, Iterable[int]]) -> dict[Table, dict[int, bytes]]:
    """Stored bodies of several strand tables by subject; a remote engine is waited for once."""
    questions = [
        (f"select subject, body from {table.name} where subject in {{keys}}", ids) for table, ids in subjects.items()
    ]
    answers = reader.select_keys_each(questions)
    return {table: dict(rows) for table, rows in zip(subjects, answers, strict=True)}


def strands(reader: Reader, table: Table, subjects: Iterable[int]) -> dict[int, Any]:
    """Decoded strands of a table by subject."""
    return {subject: strand.decode(body) for subject, body in bodies(reader, {table: subjects})[table].items()}


def all_strands(reader: Reader, table: Table) -> Iterator[list[tuple[int, Any]]]:
    """All decoded strands of a table, some at a time, in order of subject."""
    for rows in reader.scan_all(table, SWEEP_ROWS):
        yield [(int(subject), strand.decode(body)) for subject, body in rows]


def definition_rows(reader: Reader) -> list[Row]:
    """Slot and body of the computed traits, as stored."""
    return reader.select("select slot, body from computed_trait order by slot")


def decoded_definitions(rows: Iterable[Row]) -> dict[int, Definition]:
    """Definitions of computed traits by slot."""
    return {int(slot): msgspec.json.decode(body, type=Definition) for slot, body in rows}


def definitions(reader: Reader) -> dict[int, Definition]:
    """The computed traits in force, by slot."""
    return decoded_definitions(definition_rows(reader))


def save_definitions(tables: Tables, by_slot: dict[int, Definition]) -> None:
    """Makes the stored definitions these."""
    tables.execute("delete from computed_trait")
    rows = [(slot, each.name, msgspec.json.encode(each).decode()) for slot, each in sorted(by_slot.items())]
    tables.upsert(COMPUTED, rows)


def survivorship(reader: Reader) -> SurvivorshipRules:
    """The survivorship rules, the latest value for every trait when none were applied."""
    rows = reader.select("select body from survivorship where id = 1")
    return msgspec.json.decode(rows[0][0], type=SurvivorshipRules) if rows else SurvivorshipRules()


def save_survivorship(tables: Tables, rules: SurvivorshipRules) -> None:
    tables.upsert(SURVIVORSHIP, [(1, msgspec.json.encode(rules).decode())])
