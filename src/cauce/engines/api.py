"""What an engine must be able to do, by role, and how it says what it cannot do.

Roles: `Log` (durable, ordered, replayable), `Tables` (state; one writer, many readers, transactions).
Bulk analytics run on DuckDB over the open history files and over rows that a Tables engine gives out.
One suite (`cauce.testing.engines`) judges every engine of a role.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

import msgspec

from cauce.model import Record

LANES = 64
"""Parts that runners divide subjects into; a subject's lane never changes, whoever it is merged with."""

Row = tuple[Any, ...]
Keys = Iterable[int] | Iterable[str]
"""Keys of one type: integers or texts."""
Merge = Literal["sum", "min", "max"]


class Table(msgspec.Struct, frozen=True):
    """A table's shape. Columns are (name, type): types are `integer` (int64), `text`, `blob`, `real`.

    `layout`: *rows* is an ordinary keyed table, upserted in place. *heap* is the same for keys that come in no order
    (hashes): an engine may keep the rows in order of arrival and the keys in an index, so that new rows share pages.
    *runs* is for facts that are only added and are read in key order by a leading integer column (a timeline): an
    engine may keep it as sorted runs that it merges now and then, because random writes into one big tree are slow.
    `indexes` are further column tuples to look rows up by.
    `fixed` are columns that a key determines for good: rewriting a row leaves them, and so their indexes, alone.
    `checks` are conditions over its columns (ANSI SQL) without which the engine refuses a row. `sealed`: rows are only
    added; the engine refuses to change or to remove one.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    layout: Literal["rows", "heap", "runs"] = "rows"
    indexes: tuple[tuple[str, ...], ...] = ()
    fixed: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    sealed: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.columns)


Changes = Sequence[tuple[Table, Sequence[Row]]]
"""Rows to be written, by table."""


class Capabilities(msgspec.Struct, frozen=True):
    """What an engine can do; what it cannot do is refused with `Unsupported`."""

    name: str
    durable: bool
    concurrent_writers: bool
    shared_between_processes: bool
    remote: bool = False
    """Each question costs a trip to a server: better ask few and large ones."""


class Reader(Protocol):
    """A view of the state, at one moment inside `snapshot()`.

    SQL is written engine-neutral (ANSI joins, `?` parameters). A table in *runs* layout is read only with `scan`.
    """

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]: ...

    def select_keys(self, sql: str, keys: Keys, parameters: Sequence[Any] = ()) -> list[Row]:
        """Rows of `sql`, in which `{keys}` stands for a parenthesised list of keys: `… where id in {keys}`.

        Any number of keys; they are asked for sorted and in groups, so `sql` must not aggregate or order over them.
        """
        ...

    def select_keys_each(self, questions: Sequence[tuple[str, Keys]]) -> list[list[Row]]:
        """As `select_keys`, for several questions and their keys, in order; a remote engine is waited for once."""
        ...

    def select_each(self, sql: str, parameters: Iterable[Sequence[Any]]) -> list[list[Row]]:
        """The rows of one question for each set of parameters, in order; a remote engine is waited for once."""
        ...

    def scan(
        self,
        table: Table,
        prefix: int,
        *,
        after: Sequence[int] = (),
        before: Sequence[int] = (),
        descending: bool = False,
        limit: int = 0,
    ) -> list[Row]:
        """Rows of a *runs* table whose first key column is `prefix`, in key order of the remaining key columns.

        `after`/`before` are exclusive bounds on the remaining key columns (may be shorter than they are).
        """
        ...

    def scan_all(self, table: Table, batch: int = 10_000) -> Iterator[list[Row]]:
        """All rows of a table of any layout in key order, in lists of at most `batch`."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Within it all reads see one moment."""
        ...

    def close(self) -> None: ...


class Tables(Reader, Protocol):
    """State with transactions. Only the owner of the writing side holds one; readers use `reader()`."""

    @property
    def capabilities(self) -> Capabilities: ...

    def create(self, tables: Iterable[Table]) -> None:
        """Creates what is missing; StorageBroken when a table stands there with another shape."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing, durable at the end of the block as far as the log can restore the rest."""
        ...

    def upsert(self, table: Table, rows: Iterable[Row]) -> None:
        """Whole rows in column order; a row with the same key is replaced. In *runs* layout: added."""
        ...

    def upsert_each(self, changes: Changes) -> None:
        """As `upsert`, for several *rows* tables, each once; few rows of many cost a remote engine one statement."""
        ...

    def merge(self, table: Table, rows: Iterable[Row], how: Mapping[str, Merge]) -> None:
        """Whole rows of a *rows* table, each key once; where a key is there, the columns of `how` are put together.

        The others stay as they are. Nothing needs to be read for it, and who merges first does not matter.
        """
        ...

    def delete(self, table: Table, keys: Iterable[int]) -> None:
        """Rows whose first key column is one of `keys`; works in every layout."""
        ...

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """One changing statement on *rows* tables; the number of rows it touched."""
        ...

    def scrub(self) -> None:
        """After an erasure: makes sure that deleted rows are gone from the disk too; outside transactions."""
        ...

    def reader(self) -> Reader:
        """A reader of its own, for another thread; sees what was committed."""
        ...


class Turns(Protocol):
    """How runners that share one state get out of one another's way; each runner holds one of its own.

    The order of commits does not depend on it: every commit checks that it follows the one before.
    """

    def take(self, stretch: int) -> bool:
        """Whether this stretch of the log is this runner's to prepare, until it leaves it or dies."""
        ...

    def leave(self, stretch: int) -> None: ...

    def alone(self) -> AbstractContextManager[None]:
        """While the block runs no other runner is inside such a block; waits for its turn."""
        ...

    def wait(self, seconds: float) -> None:
        """Waits until another runner may have committed, at most so long."""
        ...

    def is_alone(self) -> bool:
        """Whether no other runner shares the state just now; only how work is best divided may depend on it."""
        ...

    def lanes(self, wanted: Sequence[int], most: int) -> list[int]:
        """Up to `most` of the wanted lanes, none of which another transaction has; this one has them to its end."""
        ...

    def all_lanes(self) -> None:
        """Has every lane to the end of the transaction; waits for those who have some."""
        ...


class Log(Protocol):
    """Durable, ordered, replayable records. Offsets start at 1, only grow, and are never reused."""

    @property
    def capabilities(self) -> Capabilities: ...

    def append(self, records: Sequence[tuple[str, str, int, bytes]]) -> int:
        """Appends (source, connector, received, body) and returns the offset of the first; durable on return."""
        ...

    def read(self, after: int, *, records_max: int, bytes_max: int) -> list[Record]:
        """Records with offset > `after`, in order; at least one when there is any, whatever its size."""
        ...

    def get(self, offsets: Iterable[int]) -> list[Record]: ...

    def rewrite(self, offset: int, body: bytes) -> None:
        """Replaces a body, for erasure only; the old bytes are overwritten."""
        ...

    def scrub(self) -> None:
        """After an erasure: makes sure that rewritten bodies are gone from the disk too."""
        ...

    def end(self) -> int:
        """The last offset, 0 when empty."""
        ...

    def bytes_after(self, offset: int) -> int:
        """Bytes of the records past `offset`: the backlog, for back-pressure."""
        ...

    def close(self) -> None: ...
