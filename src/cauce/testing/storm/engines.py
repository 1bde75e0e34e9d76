"""Where a storm's store lies: a folder (SQLite), or a schema of PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from cauce.engines.api import Tables
from cauce.engines.sqlite import SqliteTables

SCHEMA_SEPARATOR = "#"


def opened(place: str) -> Tables:
    """The tables of a store: `place` is a folder, or `postgresql://…#schema`."""
    if not place.startswith("postgresql://"):
        return SqliteTables(Path(place) / "commerce.db", durable=True)
    from cauce.engines.postgres import PostgresTables  # noqa: PLC0415 - the driver is optional

    url, _, schema = place.rpartition(SCHEMA_SEPARATOR)
    return PostgresTables(url, schema)
