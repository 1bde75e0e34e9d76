"""Export: a view as a file that other programs read, and everything known of one person for an access request."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import duckdb
import msgspec

from cauce.errors import NotFound, StorageBroken
from cauce.events.sql import Sql
from cauce.registry import nearest

Format = Literal["parquet", "csv", "jsonl"]

FORMATS: dict[str, str] = {
    "parquet": "format parquet, compression zstd",
    "csv": "format csv, header",
    "jsonl": "format json",
}
PROGRESS_SECONDS = 0.1

_EVENT = "id, source, channel, type, name, occurred, received, identifiers, traits, properties, context"


class Exported(msgspec.Struct, frozen=True):
    """What an export wrote."""

    path: str
    rows: int
    bytes: int


def format_of(path: Path) -> Format:
    """The format that a file's ending means; csv when it means none."""
    ending = path.suffix.lower().lstrip(".")
    found: dict[str, Format] = {"parquet": "parquet", "jsonl": "jsonl", "ndjson": "jsonl", "json": "jsonl"}
    return found.get(ending, "csv")


def export_view(
    sql: Sql, view: str, path: Path, format: Format, on_progress: Callable[[float], None] | None = None
) -> Exported:
    """Writes all rows of a view to `path`, which is there only when it is whole.

    In CSV, lists are JSON text. `on_progress` is called with a fraction from 0 to 1. NotFound when there is no such
    view, StorageBroken when the file cannot be written.
    """
    if view not in sql.view_names:
        raise NotFound(f"there is no view {view!r}", hint=nearest(view, sql.view_names))
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        with sql.connection(f"select * from {view}") as connection:
            statement = f"copy (select {_columns(connection, view, format)} from {view}) to ? ({FORMATS[format]})"
            rows = _watched(connection, statement, [str(draft)], on_progress or (lambda _: None))
        size = draft.stat().st_size
        draft.replace(path)
    except (duckdb.Error, OSError) as fault:
        raise StorageBroken(f"cannot write {path}: {fault}") from fault
    finally:
        draft.unlink(missing_ok=True)
    return Exported(str(path), rows, size)


def _columns(connection: duckdb.DuckDBPyConnection, view: str, format: Format) -> str:
    """All columns; for CSV nested ones as JSON text, because there a list has no form of its own."""
    described = connection.sql(f"describe {view}").fetchall()
    parts = []
    for name, kind, *_ in described:
        nested = format == "csv" and (kind.endswith("[]") or kind.startswith(("STRUCT", "MAP")))
        parts.append(f'to_json("{name}") as "{name}"' if nested else f'"{name}"')
    return ", ".join(parts)


def _watched(
    connection: duckdb.DuckDBPyConnection,
    statement: str,
    parameters: Sequence[str],
    on_progress: Callable[[float], None],
) -> int:
    """Runs a copy and reports how far it is; the number of rows."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(PROGRESS_SECONDS):
            on_progress(max(0.0, connection.query_progress() / 100))

    connection.execute("set enable_progress_bar = true")
    connection.execute("set enable_progress_bar_print = false")
    watcher = threading.Thread(target=watch, name="export-progress")
    watcher.start()
    try:
        rows = connection.execute(statement, parameters).fetchall()[0][0]
    finally:
        done.set()
        watcher.join()
    on_progress(1.0)
    return int(rows)


def events_of(sql: Sql, identifier_ids: Iterable[int], *, events_max: int = 1_000_000) -> list[dict[str, Any]]:
    """Every stored event that carries one of the identifiers, its subject or not, oldest first."""
    ids = ", ".join(str(int(number)) for number in identifier_ids)
    found = sql.query(
        f"select {_EVENT} from events where list_has_any(identifier_ids, [{ids or 'null'}]::bigint[]) "
        "order by occurred, position",
        rows_max=events_max,
    )
    events = []
    for row in found.rows:
        event = dict(zip(found.columns, row, strict=True))
        for name in ("traits", "properties", "context"):
            event[name] = msgspec.json.decode(event[name])
        events.append(event)
    return events


def person_document(person: str, known: dict[str, Any], events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All that is stored about a person, as one JSON document that can be handed to them.

    `known` is what the capabilities say (identifiers, traits, consents …), each under its name.
    """
    sources: dict[str, int] = {}
    for event in events:
        sources[event["source"]] = sources.get(event["source"], 0) + 1
    return {"person": person, **known, "sources": dict(sorted(sources.items())), "events": list(events)}
