"""The index in its file: entries, their terms in a full-text table, and words by how they sound; private to search.

The full-text table keeps no text of its own and no places of words (`content=''`, `detail=none`): terms are made of the
entry again when it goes. It is asked with terms only, quoted, so nothing that a person types is ever syntax.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from cauce.errors import Locked, StorageBroken
from cauce.search.rules import Entry, is_typed, near_keys, terms_of

VERSION = 1
"""Of tables and terms; an index of another version is built anew."""
LAST_ID = 2**63 - 1
KEYS_PER_QUERY = 500
WORDS_REMEMBERED = 200_000
WRITING_PAGES = 64_000
"""Cache of the writing side in KiB."""

_TABLES = f"""
create table place (id integer primary key, version integer, position integer, swept integer, scrub integer);
create table entry (number integer primary key, id integer not null unique, kind text, value text, names text);
create virtual table term using fts5
    (words, content='', detail=none, columnsize=0, tokenize="ascii tokenchars '~@'", prefix='2 3 4');
create table near (key integer, word text, primary key (key, word)) without rowid;
create table kind (name text primary key) without rowid;
insert into place values (1, {VERSION}, 0, 0, 0);
"""
_ENTRY = "select id, kind, value, names from entry"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[str, ...]).decode


class Place(NamedTuple):
    """How far the index has come: events up to `position`; the sweep over all identifiers up to id `swept`.

    `scrub` says that something was erased whose bytes are still to be wiped.
    """

    position: int
    swept: int
    scrub: bool

    @property
    def is_swept(self) -> bool:
        return self.swept == LAST_ID


class Index:
    """One connection to the index. One thread at a time; one `writing` side, any number of readers."""

    def __init__(self, path: Path, *, writing: bool = False) -> None:
        self._path = path
        try:
            if writing:
                self._connection = self._open_writing()
            else:
                self._connection = sqlite3.connect(
                    f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=30
                )
                self._connection.execute("pragma mmap_size = 268435456")
        except sqlite3.Error as fault:
            raise StorageBroken(f"cannot open {path}: {fault}", hint="Delete it: it is built anew") from fault
        self._words: set[str] = set()

    def _open_writing(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma secure_delete = on")
        connection.execute("pragma synchronous = normal")
        connection.execute(f"pragma cache_size = -{WRITING_PAGES}")
        if _version(connection) != VERSION:
            _create(connection)
        return connection

    # -- reading ------------------------------------------------------------------------------------------------

    @property
    def is_usable(self) -> bool:
        """Whether the file is an index of this version; another one is waiting to be built anew."""
        return _version(self._connection) == VERSION

    def place(self) -> Place:
        position, swept, scrub = self._connection.execute("select position, swept, scrub from place").fetchone()
        return Place(position, swept, bool(scrub))

    def count(self) -> int:
        return int(self._connection.execute("select count(*) from entry").fetchone()[0])

    def kinds(self) -> list[str]:
        """Every kind of identifier that was ever seen."""
        return [name for (name,) in self._connection.execute("select name from kind order by name")]

    def entries(self, ids: Iterable[int]) -> dict[int, Entry]:
        """Entries by identifier id."""
        found: dict[int, Entry] = {}
        wanted = iter(sorted(set(ids)))
        while group := list(islice(wanted, KEYS_PER_QUERY)):
            marks = ",".join("?" * len(group))
            for row in self._connection.execute(f"{_ENTRY} where id in ({marks})", group):
                found[row[0]] = _entry(row)
        return found

    def between(self, after: int, until: int) -> dict[int, Entry]:
        """Entries with `after` < id <= `until`."""
        rows = self._connection.execute(f"{_ENTRY} where id > ? and id <= ? order by id", (after, until))
        return {row[0]: _entry(row) for row in rows}

    def matching(self, groups: Sequence[Sequence[str]], limit: int) -> list[Entry]:
        """At most `limit` entries that have a term of every group; `x*` is any term that begins with x."""
        asked = " AND ".join(f"({' OR '.join(map(_quoted, group))})" for group in groups)
        rows = self._connection.execute(
            "select entry.id, kind, value, names from term join entry on entry.number = term.rowid "
            "where term match ? limit ?",
            (asked, limit),
        )
        return [_entry(row) for row in rows]

    def is_found(self, id: int, terms: Sequence[str]) -> bool:
        """Whether the entry of an identifier has all these terms."""
        asked = " AND ".join(map(_quoted, terms))
        rows = self._connection.execute(
            "select 1 from entry where id = ? and number in (select rowid from term where term match ?)", (id, asked)
        )
        return rows.fetchone() is not None

    def has(self, term: str) -> bool:
        """Whether any entry has that term."""
        rows = self._connection.execute("select 1 from term where term match ? limit 1", (_quoted(term),))
        return rows.fetchone() is not None

    def near(self, keys: Iterable[int]) -> list[str]:
        """The words that share one of the keys."""
        rows = self._connection.execute(f"select distinct word from near where key in ({_numbers(keys)})")
        return [word for (word,) in rows]

    # -- writing ------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            self._words.clear()
            raise
        self._connection.execute("commit")

    def put(self, present: Mapping[int, Entry], wanted: Mapping[int, Entry]) -> int:
        """Makes the entries that were `present` those that are `wanted`; how many changed. Inside a transaction."""
        gone = [entry for id, entry in present.items() if wanted.get(id) != entry]
        fresh = [entry for id, entry in wanted.items() if present.get(id) != entry]
        if gone:
            self._remove(gone)
        if fresh:
            self._add(fresh)
        return max(len(gone), len(fresh))

    def remember_kinds(self, kinds: Iterable[str]) -> None:
        self._connection.executemany("insert or ignore into kind values (?)", [(kind,) for kind in kinds])

    def move(self, place: Place) -> None:
        """Notes how far the index has come; inside the transaction that brought it there."""
        self._connection.execute("update place set position = ?, swept = ?, scrub = ?", place)

    def begin_anew(self) -> None:
        """Forgets everything: the index is built again from the state."""
        with self.transaction():
            _drop(self._connection)
            _execute_all(self._connection, _TABLES)
        self._words.clear()

    def scrub(self) -> bool:
        """Wipes from the file what was removed; False when a reader stood in the way, and it must be done again."""
        with self.transaction():
            # Merging all segments drops the terms of removed entries, which until then are only marked.
            self._connection.execute("insert into term(term) values ('optimize')")
        busy, _, _ = self._connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        return not busy

    def close(self) -> None:
        self._connection.close()

    def _add(self, entries: Sequence[Entry]) -> None:
        execute = self._connection.execute
        terms: set[str] = set()
        for entry in entries:
            own = terms_of(entry)
            number = execute(
                "insert into entry (id, kind, value, names) values (?, ?, ?, ?)",
                (entry.id, entry.kind, entry.value, _encode(entry.names).decode() if entry.names else ""),
            ).lastrowid
            execute("insert into term (rowid, words) values (?, ?)", (number, _joined(own)))
            terms |= own
        words = [word for word in sorted(terms - self._words) if is_typed(word)]
        rows = sorted((key, word) for word in words for key in near_keys(word))
        self._connection.executemany("insert or ignore into near values (?, ?)", rows)
        if len(self._words) > WORDS_REMEMBERED:
            self._words.clear()
        self._words.update(words)

    def _remove(self, entries: Sequence[Entry]) -> None:
        execute = self._connection.execute
        terms: set[str] = set()
        for entry in entries:
            (number,) = execute("select number from entry where id = ?", (entry.id,)).fetchone()
            own = terms_of(entry)
            execute("insert into term (term, rowid, words) values ('delete', ?, ?)", (number, _joined(own)))
            execute("delete from entry where number = ?", (number,))
            terms |= own
        for word in sorted(filter(is_typed, terms)):
            if not self.has(word):
                self._words.discard(word)
                execute(f"delete from near where key in ({_numbers(near_keys(word))}) and word = ?", (word,))


@contextmanager
def writer(path: Path) -> Iterator[Index]:
    """The writing side of an index; Locked while another process or thread has it."""
    with path.with_suffix(".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Locked(f"another process keeps {path} up to date") from None
        index = Index(path, writing=True)
        try:
            yield index
        finally:
            index.close()


def _version(connection: sqlite3.Connection) -> int:
    if not connection.execute("select 1 from sqlite_master where name = 'place'").fetchone():
        return 0
    return int(connection.execute("select version from place").fetchone()[0])


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("begin immediate")
    try:
        _drop(connection)
        _execute_all(connection, _TABLES)
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def _drop(connection: sqlite3.Connection) -> None:
    for name in ("place", "entry", "term", "near", "kind"):
        connection.execute(f"drop table if exists {name}")


def _execute_all(connection: sqlite3.Connection, statements: str) -> None:
    # `executescript` would commit the transaction first.
    for statement in filter(None, map(str.strip, statements.split(";\n"))):
        connection.execute(statement)


def _entry(row: tuple[int, str, str, str]) -> Entry:
    id, kind, value, names = row
    return Entry(id, kind, value, _decode(names) if names else ())


def _joined(terms: Iterable[str]) -> str:
    return " ".join(sorted(terms))


def _numbers(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))


def _quoted(term: str) -> str:
    """A term as the full-text table's query language writes it; a star at the end stays a star."""
    word, star, _ = term.partition("*")
    return f'"{word}"{" " + star if star else ""}'
