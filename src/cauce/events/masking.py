"""Events without personal values, as files and tables of their own: what is not there, no statement can read.

A statement of somebody who may not see personal data runs in a database that holds masked copies only. The copies of
the history files are made once each, in a folder of this process, and forgotten when nobody asks for a while.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from cauce.errors import Busy, Conflict, StorageBroken

FORGET_SECONDS = 900
"""Copies that nobody used for so long are deleted, so that an erasure never meets an old one later."""
LEFT_BEHIND_SECONDS = 86_400
PREFIX = "masked-"
MASK = "•"
MEMORY_MB = 1_024

_TELLING = r'"(?:(?:[^"\\@]|\\.)*@(?:[^"\\]|\\.)*|(?:\+|00)[\d ().-]{8,}|[{\[](?:[^"\\]|\\.)*)"'
"""A text of JSON with an at sign, one that is a phone number, and one that is a document written as text."""


Tree = Mapping[str, Any]
"""What of a JSON object is shown, as DuckDB's `json_transform` takes it."""


class Shows(msgspec.Struct, frozen=True):
    """What is shown of events of a type, or of one name, or of one source; `""` stands for all."""

    type: str
    event: str
    source: str
    properties: Tree
    traits: Tree


class Showing(msgspec.Struct, frozen=True):
    """What is shown of all events: the first entry of `of` that fits an event says it, and `traits` of all of them.

    An event that fits none shows nothing of its properties.
    """

    of: tuple[Shows, ...]
    traits: Tree
    context: Tree

    def fingerprint(self) -> str:
        """Changes when anything else is shown."""
        return blake2b(msgspec.json.encode(self), digest_size=16).hexdigest()


PREPARING_SECONDS_MAX = 60.0
"""After so long a question is asked to come back, while the copies that were made stay."""


class Shield:
    """Makes masked copies, by what may be shown of events.

    `secret` keys the hashes that stand for values: equal values stay equal, and nobody can guess them.
    """

    def __init__(self, folder: Path, secret: bytes, showing: Showing) -> None:
        self.showing = showing
        self._lock = threading.Lock()
        self._key = blake2b(b"sql masks", key=secret[:32], digest_size=16).hexdigest()
        self._parent = folder
        self._folder: Path | None = None
        self._timer: threading.Timer | None = None
        self._tail: tuple[tuple[int, ...], pa.Table] | None = None
        self._gone: Callable[[], object] = lambda: None

    def hashed(self, text: str) -> str:
        """What stands for a value: `h_` and 16 hexadecimal digits."""
        return "h_" + blake2b(text.encode(), key=self._key.encode(), digest_size=8).hexdigest()

    def guarded(self, json: str) -> str:
        """A JSON text in which values that look personal are masked, as in the copies."""
        return re.sub(_TELLING, f'"{MASK}"', json)

    def copies(self, files: Sequence[Path], is_stopped: Callable[[], bool] = lambda: False) -> list[Path]:
        """Masked copies of history files, in their order; those of files that are gone are deleted.

        Busy when there are so many to make that somebody would wait too long, Conflict when `is_stopped` says so.
        """
        started = time.monotonic()
        with self._lock:
            folder = self._opened()
            wanted = {file: folder / _copy_name(file) for file in files}
            kept = set(wanted.values())
            for old in folder.iterdir():
                if old not in kept:
                    old.unlink(missing_ok=True)
            for file, copy in wanted.items():
                if copy.exists():
                    continue
                if is_stopped():
                    raise Conflict("the statement was stopped")
                if time.monotonic() - started > PREPARING_SECONDS_MAX:
                    raise Busy(
                        "the masked copies of the history are being made", retry_after_seconds=1, hint="Ask again"
                    )
                self._copy(file, copy)
            self._forget_later()
            return list(wanted.values())

    def masked(self, table: pa.Table) -> pa.Table:
        """The rows of events that are in no file yet, masked alike."""
        positions = table.column("position")
        key = (table.num_rows, *(positions[place].as_py() for place in ((0, -1) if table.num_rows else ())))
        tail = self._tail
        if tail is None or tail[0] != key:
            with _trusted() as connection:
                connection.register("raw_event", table)
                masked = connection.sql(f"select {self._columns()} from raw_event").to_arrow_table()
            self._tail = tail = key, masked
        return tail[1]

    def forget(self) -> None:
        """Deletes all copies; they are made again when somebody asks."""
        with self._lock:
            self._gone()
            self._folder = None
            self._tail = None

    def _opened(self) -> Path:
        if self._folder is None or not self._folder.is_dir():
            _sweep(self._parent)
            self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._parent))
            folder = self._folder
            self._gone = weakref.finalize(self, _remove, folder)
        return self._folder

    def _copy(self, file: Path, copy: Path) -> None:
        fresh = copy.with_suffix(".new")
        try:
            with _trusted() as connection:
                connection.execute(
                    f"copy (select {self._columns()} from read_parquet({_quoted(file)})) to {_quoted(fresh)} "
                    "(format parquet, compression zstd, row_group_size 32768)"
                )
            os.replace(fresh, copy)
        except OSError as fault:
            raise StorageBroken(f"cannot write a masked copy into {copy.parent}: {fault.strerror}") from fault

    def _columns(self) -> str:
        """Columns of the history's schema, in its order, without personal values."""
        key = f"'{self._key}'"
        hashed = f"'h_' || left(sha256({key} || x.kind || ':' || x.value), 16)"
        parts = [
            "position", "id", "source", "channel", "type",
            f"case when type in ('page', 'screen') then {_guarded_text('name')} else name end as name",
            "occurred", "received", "subject", "identifier_ids",
            f"list_transform(identifiers, lambda x: {{'kind': x.kind, 'value': {hashed}}}) as identifiers",
            f"{self._documents('traits')} as traits",
            f"{self._documents('properties')} as properties",
            f"case when type = 'decision' then '{{}}' else {_shown('context', self.showing.context)} end as context",
        ]  # fmt: skip
        return ", ".join(parts)

    def _documents(self, column: str) -> str:
        """SQL of a column of which each kind of event shows something else."""
        always = self.showing.traits if column == "traits" else {}
        otherwise = _shown(column, always)
        cases = ["when type = 'decision' then '{}'"]
        shown = [(_fits(shows), _shown(column, {**always, **getattr(shows, column)})) for shows in self.showing.of]
        if any(what != otherwise for _, what in shown):
            # The first that fits counts, so only neighbours may be put together.
            for what, alike in groupby(shown, key=itemgetter(1)):
                cases.append(f"when {' or '.join(fits for fits, _ in alike)} then {what}")
        return f"case {' '.join(cases)} else {otherwise} end"

    def _forget_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        reference = weakref.ref(self)

        def forget() -> None:
            shield = reference()
            if shield is not None:
                shield.forget()

        self._timer = threading.Timer(FORGET_SECONDS, forget)
        self._timer.daemon = True
        self._timer.start()


class _trusted:  # noqa: N801 (a context manager, used like a function)
    """A database that sees raw events; no statement of anybody else runs in it."""

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        self._connection = duckdb.connect(
            config={"memory_limit": f"{MEMORY_MB}MB", "threads": 2, "python_enable_replacements": "false"}
        )
        self._connection.execute("set TimeZone = 'UTC'")
        return self._connection

    def __exit__(self, *_fault: object) -> None:
        self._connection.close()


def _fits(shows: Shows) -> str:
    """SQL of whether an event is of that type, name and source."""
    tests = [f"type = {_text(shows.type)}"]
    if shows.event:
        tests.append(f"name = {_text(shows.event)}")
    if shows.source:
        tests.append(f"source = {_text(shows.source)}")
    return f"({' and '.join(tests)})"


def _shown(column: str, tree: Tree) -> str:
    """SQL of what a tree leaves of a JSON document."""
    if not tree:
        return "'{}'"
    structure = _text(msgspec.json.encode(tree).decode())
    return _guarded(f"json_merge_patch('{{}}'::json, to_json(json_transform({column}::json, {structure})))::varchar")


def _guarded(json: str) -> str:
    """SQL of a JSON text in which values that look personal are masked, whatever their field is called."""
    return f"regexp_replace({json}, {_text(_TELLING)}, '\"{MASK}\"', 'g')"


def _guarded_text(column: str) -> str:
    return f"case when contains({column}, '@') then '{MASK}' else {column} end"


def _copy_name(file: Path) -> str:
    status = file.stat()
    told = f"{file}|{status.st_size}|{status.st_mtime_ns}".encode()
    return blake2b(told, digest_size=16).hexdigest() + ".parquet"


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Deletes what a process left behind that was killed."""
    for old in folder.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > LEFT_BEHIND_SECONDS:
                shutil.rmtree(old, ignore_errors=True)


def _quoted(path: Path) -> str:
    return _text(str(path))


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
