"""Tables in memory for tests that open hundreds of stores: each begins as a copy of the first one of its kind."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable

from cauce.engines.api import Table
from cauce.engines.memory import MemoryTables

_templates: dict[tuple[Table, ...], sqlite3.Connection] = {}
_copying = threading.Lock()


class FurnishedTables(MemoryTables):
    """As `MemoryTables`, but to create the same tables again is to copy pages instead of carrying out statements."""

    def __init__(self) -> None:
        self._created: tuple[Table, ...] = ()
        self._schema = 0
        super().__init__()

    def create(self, tables: Iterable[Table]) -> None:
        wanted = tuple(tables)
        self._created += wanted
        connection = self._connection
        if connection.in_transaction or connection.total_changes or self._version() != self._schema:
            super().create(wanted)  # something is in them that no template holds
            return
        with _copying:
            if template := _templates.get(self._created):
                template.backup(connection)
            else:
                super().create(wanted)
                template = _templates[self._created] = sqlite3.connect(":memory:", check_same_thread=False)
                connection.backup(template)
        self._schema = self._version()

    def _version(self) -> int:
        """A number that another one follows whenever a table is made, changed or dropped."""
        return int(self._connection.execute("pragma schema_version").fetchone()[0])
