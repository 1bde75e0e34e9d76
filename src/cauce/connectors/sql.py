"""SQL databases of legacy systems: the rows of a query become events by a mapping, as the rows of a file do.

Needs SQLAlchemy (`cauce[sql]`) and the database's driver. Rows are streamed; a password of the URL is shown nowhere.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from cauce.access.api import Control
from cauce.connectors.tabular.canonical import decode
from cauce.connectors.tabular.loading import MARKS, ImportReport, OnProgress, Target, load
from cauce.connectors.tabular.mapping import Mapping
from cauce.connectors.tabular.reading import Row, plain, unique_names
from cauce.errors import DefinitionInvalid, MissingExtra, Unreadable
from cauce.registry import nearest

NAME = "sql"
FETCH_ROWS = 5_000

__all__ = ["NAME", "Query", "QuerySheet", "decode", "import_query"]


class Query(msgspec.Struct, frozen=True):
    """A question to a database. `incremental_column`: the next import starts at the highest value seen of it."""

    url: str
    sql: str
    incremental_column: str = ""

    @property
    def digest(self) -> str:
        """Names the question, not the answer; the password is no part of it."""
        parts = [_without_password(self.url), " ".join(self.sql.split()), self.incremental_column]
        return blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()


class QuerySheet:
    """The rows of a query, streamed through a cursor on the server where the driver has one."""

    total = 0

    def __init__(self, query: Query, after: Any = None) -> None:
        """`after`: only rows whose incremental column is at least that."""
        self.name = _without_password(query.url)
        self.digest = query.digest
        self.highest = after
        self._query, self._after = query, after
        self._done = 0
        # Colons of the question itself (times, casts) are no parameters.
        self._sql = re.sub(r"(?<![:\\\w]):(?=\w)", r"\\:", query.sql.strip().rstrip(";"))
        with self._connected() as connection:
            self.columns = unique_names(list(self._execute(connection, only_columns=True).keys()))
        if query.incremental_column and query.incremental_column not in self.columns:
            raise DefinitionInvalid(
                f"--incremental-column: the query has no column {query.incremental_column!r}",
                hint=nearest(query.incremental_column, self.columns),
            )

    def position(self) -> int:
        return self._done

    def rows(self) -> Iterator[Row]:
        column = self._query.incremental_column
        index = self.columns.index(column) if column else -1
        self._done = 0
        with self._connected() as connection:
            result = self._execute(connection)
            for rows in result.partitions(FETCH_ROWS):
                for row in rows:
                    self._done += 1
                    if column and row[index] is not None:
                        self.highest = row[index]
                    yield self._done, [plain(cell) for cell in row]

    def _execute(self, connection: Any, *, only_columns: bool = False) -> Any:
        """Runs the query; with an incremental column only from the remembered value on, in its order."""
        alchemy = _sqlalchemy()
        column = self._query.incremental_column
        sql, bound = self._sql, {}
        if only_columns:
            sql = f"select * from ({sql}\n) question where 1 = 0"
        elif column:
            quoted = connection.dialect.identifier_preparer.quote(column)
            where = "" if self._after is None else f" where {quoted} >= :after"
            bound = {} if self._after is None else {"after": self._after}
            sql = f"select * from ({sql}\n) question{where} order by {quoted}"
        try:
            streamed = connection.execution_options(stream_results=True, yield_per=FETCH_ROWS)
            return streamed.execute(alchemy.text(sql), bound)
        except alchemy.exc.SQLAlchemyError as fault:
            raise Unreadable(f"{self.name} refused the query: {_first_line(fault)}") from None

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        alchemy = _sqlalchemy()
        try:
            engine = alchemy.create_engine(self._query.url)
        except (alchemy.exc.SQLAlchemyError, ModuleNotFoundError, ValueError) as fault:
            hint = "An URL looks like postgresql+psycopg://user:password@host/database; its driver must be installed"
            raise Unreadable(f"cannot use the database {self.name}: {_first_line(fault)}", hint=hint) from None
        try:
            try:
                connection = engine.connect()
            except alchemy.exc.SQLAlchemyError as fault:
                raise Unreadable(f"cannot reach the database {self.name}: {_first_line(fault)}") from None
            with connection:
                yield connection
        finally:
            engine.dispose()


def import_query(
    target: Target,
    query: Query,
    mapping: Mapping,
    *,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Appends the items of a query's rows to the log; MissingExtra without SQLAlchemy, Unreadable when it fails.

    Every call asks again: what came before is a duplicate by its id. With an incremental column, rows that have the
    highest remembered value are read once more, because others with the same value may have come since.
    """
    control = target.control
    control.create((MARKS,))
    after = _mark(control, mapping.source, query.digest) if query.incremental_column else None
    sheet = QuerySheet(query, after)
    report = load(target, NAME, sheet, mapping, is_repeatable=True, on_progress=on_progress)
    if query.incremental_column and sheet.highest is not None:
        with control.changing():
            control.upsert(MARKS, [(mapping.source, query.digest, _marked(sheet.highest))])
    return report


def _mark(control: Control, source: str, digest: str) -> Any:
    """The highest value seen, in its type; None when there was none."""
    rows = control.select("select value from import_marks where source = ? and query = ?", source, digest)
    if not rows:
        return None
    kind, text = msgspec.json.decode(rows[0][0], type=tuple[str, str])
    read: dict[str, Callable[[str], Any]] = {
        "datetime": datetime.fromisoformat,
        "date": date.fromisoformat,
        "Decimal": Decimal,
        "int": int,
        "float": float,
    }
    return read.get(kind, str)(text)


def _marked(value: Any) -> str:
    text = value.isoformat() if isinstance(value, date) else str(value)
    return msgspec.json.encode((type(value).__name__, text)).decode()


def _without_password(url: str) -> str:
    """The URL without user, password and options: `postgresql://host:5432/shop`."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}" if mark else "(not a URL)"


def _first_line(fault: Exception) -> str:
    """What the driver said, without the URL that some drivers repeat."""
    return re.sub(r"//[^/\s]*@", "//", str(getattr(fault, "orig", None) or fault).split("\n")[0])[:300]


def _sqlalchemy() -> Any:
    try:
        return importlib.import_module("sqlalchemy")
    except ImportError:
        raise MissingExtra(
            "reading from a database needs SQLAlchemy, which is not installed", hint="pip install 'cauce[sql]'"
        ) from None
