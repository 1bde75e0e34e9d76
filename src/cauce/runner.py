"""The only loop: a batch from the log, every item through all stages in order, one commit.

For each batch: read records → decode → every stage *prefetches* what the batch touches (one query per table) →
each item passes all stages in order in memory → every stage *flushes* and the offset moves, in one transaction.
Batches are for I/O only: the result does not depend on where they are cut, and a crash leaves no trace.

Several runners may share one state (`Turns`). Each takes a stretch of the log and prepares it (reads and decodes it)
beside the others; what they prepared is applied and committed in the order of the log, one runner at a time, each after
it has forgotten what the others may have changed. So no event is ever applied by two, or before its time.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import msgspec

from cauce.engines.api import Log, Reader, Table, Tables, Turns
from cauce.errors import CauceError
from cauce.model import DECISIONS, Passage, Reason, Received, Record, position_of

PROGRESS = Table("progress", (("id", "integer"), ("position", "integer")), ("id",))
_OFFSET, _DECIDED, _COMMITS = 1, 2, 3
"""Rows of the table: the last record that is committed, the last of them that was a decision, and, where runners share
the state, how many commits there were: some move no record (history files that are listed)."""

STRETCHES_AHEAD = 16
"""How far ahead of the last commit a runner prepares: more stretches than runners help nobody."""

Decode = Callable[[Record], list[Received]]


class Stage(Protocol):
    """What one capability does with one item, and with the state it touches."""

    @property
    def name(self) -> str: ...

    @property
    def tables(self) -> tuple[Table, ...]: ...

    def refresh(self, *, decided: bool) -> None:
        """Another runner has committed: forgets what of it is in memory; `decided` when decisions were among it."""
        ...

    def prefetch(self, passages: Sequence[Passage]) -> None:
        """Loads the state of everybody the batch touches; queries do not grow with the batch."""
        ...

    def apply(self, passage: Passage) -> bool:
        """Lets one item pass, in memory only; False when it goes no further. May set `passage.fate`."""
        ...

    def flush(self) -> None:
        """Writes what changed; runs inside the runner's transaction."""
        ...

    def committed(self) -> None:
        """After the commit: forgets the working set, makes files visible."""
        ...

    def rolled_back(self) -> None:
        """After a failed batch: forgets everything that is not in the tables."""
        ...


class Poisoned(Exception):
    """An item made a stage fail; it is quarantined and the batch is tried again without it."""

    def __init__(self, position: int, stage: str, cause: Exception) -> None:
        super().__init__(f"{stage} failed at {position}: {cause!r}")
        self.position = position
        self.reason = Reason(
            "internal_error", expected=f"{stage} to accept the event", found=f"{type(cause).__name__}: {cause}"[:300]
        )


class Overtaken(Exception):
    """Another runner committed what this one was about to; it gives its part up."""


class Part(msgspec.Struct, frozen=True):
    """Records of one stretch behind record `after`, each batch decoded as the decisions up to `decided` want it."""

    stretch: int
    after: int
    decided: int
    groups: tuple[tuple[Sequence[Record], list[Received]], ...]


def progress(reader: Reader) -> int:
    """Offset of the last record whose effects are committed, 0 at the start."""
    return _marks(reader)[0]


def _marks(reader: Reader) -> tuple[int, int, int]:
    """(last committed record, last committed decision, commits)."""
    marks: dict[int, int] = dict(reader.select("select id, position from progress"))
    return int(marks.get(_OFFSET, 0)), int(marks.get(_DECIDED, 0)), int(marks.get(_COMMITS, 0))


class Runner:
    """Moves the log through the stages. One thread owns it.

    `tables` belongs to it alone while it lives; with `turns` it shares them with other runners.
    """

    def __init__(
        self,
        log: Log,
        tables: Tables,
        decode: Decode,
        stages: Sequence[Stage],
        *,
        batch_records: int = 500,
        batch_bytes: int = 8_000_000,
        turns: Turns | None = None,
    ) -> None:
        self.log = log
        self.tables = tables
        self.decode = decode
        self.stages = tuple(stages)
        self.batch_records = batch_records
        self.batch_bytes = batch_bytes
        self._turns = turns
        self._part: Part | None = None
        self._is_recovered = False
        tables.create((PROGRESS, *(table for stage in stages for table in stage.tables)))
        self.offset, self._decided, self._commits = _marks(tables)

    def run_once(self, until: int | None = None) -> int:
        """Processes one batch, up to record `until`, and commits it; the number of records.

        0 when there is no more, or (with turns) nothing that this runner could commit now.
        """
        with _collector_resting():
            self._recover()
            if self._turns is not None:
                return self._take_turn(self._turns, until)
            records = self.log.read(self.offset, records_max=self.batch_records, bytes_max=self.batch_bytes)
            if until is not None:
                records = [record for record in records if record.offset <= until]
            for group in _cut(records):
                self._process(group, self._items(group), self._decided)
        return len(records)

    def drain(self) -> int:
        """Processes everything that is in the log now; the number of records. For a runner that is alone."""
        total = 0
        while count := self.run_once():
            total += count
        return total

    def run(self, stopping: Callable[[], bool], *, idle_seconds: float = 0.01) -> None:
        """Processes until `stopping()` says so, sleeping `idle_seconds` whenever the log has no more."""
        while not stopping():
            if self.run_once():
                continue
            if self._turns is not None and self._part is not None:
                self._turns.wait(idle_seconds)
                continue
            self.idle()
            time.sleep(idle_seconds)

    def close(self) -> None:
        """Lets stages end what they do beside the river."""
        for stage in self.stages:
            close = getattr(stage, "close", None)
            if close is not None:
                close()

    def idle(self) -> None:
        """Lets stages finish what waits for time to pass (history files); a commit of its own."""
        self._recover()
        if any(stage.due() for stage in self.stages if hasattr(stage, "due")):
            with self._in_turn():
                self._flush(self.offset)
            self._committed()

    def _recover(self) -> None:
        """Lets stages finish what a crash left undone, before the first batch."""
        if not self._is_recovered:
            with self._alone():
                if self._turns is not None:
                    # Others may have committed between what the stages read when they were made and the marks.
                    self._catch_up(_marks(self.tables), decided=True)
                for stage in self.stages:
                    recover = getattr(stage, "recover", None)
                    if recover is not None:
                        recover()
            self._is_recovered = True

    def _alone(self) -> AbstractContextManager[None]:
        return nullcontext() if self._turns is None else self._turns.alone()

    # -- a stretch at a time, beside other runners --------------------------------------------------------------

    def prepare(self, until: int | None = None) -> bool:
        """Takes a stretch that nobody else has, and decodes it; whether this runner has one now."""
        turns = self._turns
        assert turns is not None, "a runner that is alone has nothing to prepare"
        self._recover()
        return self._part_at(turns, progress(self.tables), until) is not None

    def _take_turn(self, turns: Turns, until: int | None) -> int:
        """Commits what was prepared, when all before it is committed; the number of records."""
        done = progress(self.tables)
        part = self._part_at(turns, done, until)
        if part is None or part.after > done:
            return 0
        self._part = None
        try:
            for records, items in part.groups:
                self._process(records, items, part.decided)
            return sum(len(records) for records, _ in part.groups)
        except Overtaken:
            return 0
        finally:
            turns.leave(part.stretch)

    def _part_at(self, turns: Turns, done: int, until: int | None) -> Part | None:
        """The part that this runner has or takes when records up to `done` are committed."""
        part = self._part
        if part is not None and part.after > done and turns.take(done // self.batch_records):
            turns.leave(part.stretch)  # who had the stretch before is gone: somebody must do it
            part = None
        self._part = part or self._prepared(turns, done, until)
        return self._part

    def _prepared(self, turns: Turns, done: int, until: int | None) -> Part | None:
        """The first stretch with records that this runner can take, decoded."""
        first = done // self.batch_records
        last = self.log.end() if until is None else min(until, self.log.end())
        for stretch in range(first, first + STRETCHES_AHEAD):
            after = max(done, stretch * self.batch_records)
            end = min(last, (stretch + 1) * self.batch_records)
            if last <= after:
                return None
            if not turns.take(stretch):
                continue
            found = self.log.read(after, records_max=self.batch_records, bytes_max=self.batch_bytes)
            records = [record for record in found if record.offset <= end]
            if records:
                groups = tuple((group, self._items(group)) for group in _cut(records))
                return Part(stretch, after, self._decided, groups)
            turns.leave(stretch)
        return None

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """One transaction, in which this runner knows all that is committed before it."""
        with self._alone(), self.tables.transaction():
            if self._turns is not None:
                marks = _marks(self.tables)
                if marks != (self.offset, self._decided, self._commits):
                    self._catch_up(marks, decided=marks[1] != self._decided)
            yield

    def _catch_up(self, marks: tuple[int, int, int], *, decided: bool) -> None:
        """Lets every stage forget what others may have changed up to these marks; nobody commits meanwhile."""
        for stage in self.stages:
            stage.refresh(decided=decided)
        self.offset, self._decided, self._commits = marks

    # -- one batch ----------------------------------------------------------------------------------------------

    def _items(self, records: Sequence[Record]) -> list[Received]:
        return [item for record in records for item in self._decoded(record)]

    def _process(self, records: Sequence[Record], items: Sequence[Received], decided: int) -> None:
        """Commits a batch, whose items were decoded as the decisions up to `decided` want it."""
        poisoned: dict[int, Reason] = {}
        while True:
            try:
                with self._in_turn():
                    if self.offset >= records[0].offset:
                        raise Overtaken
                    if decided != self._decided:
                        items, decided = self._items(records), self._decided
                    self._pass(items, poisoned)
                    self._flush(records[-1].offset, decided=records[0].connector == DECISIONS)
                self.offset = records[-1].offset
                if records[0].connector == DECISIONS:
                    self._decided = self.offset
                self._committed()
                return
            except Poisoned as failure:
                self._roll_back()
                if failure.position in poisoned:
                    raise
                poisoned[failure.position] = failure.reason
            except BaseException:
                self._roll_back()
                raise

    def _decoded(self, record: Record) -> list[Received]:
        """Items of a record; a decoder that fails (it never should) costs its own record a place in quarantine only."""
        try:
            return self.decode(record)
        except CauceError:
            raise
        except Exception as cause:
            raw = record.body.decode("utf-8", "backslashreplace")
            reason = Poisoned(position_of(record.offset, 0), "decode", cause).reason
            return [
                Received(
                    position_of(record.offset, 0), record.source, record.source, record.received, raw, None, (reason,)
                )
            ]

    def _pass(self, items: Sequence[Received], poisoned: dict[int, Reason]) -> None:
        if poisoned:
            items = [_without_event(item, poisoned) for item in items]
        passages = [Passage(item) for item in items]
        for stage in self.stages:
            stage.prefetch(passages)
        steps = [stage.apply for stage in self.stages]
        for passage in passages:
            try:
                for step in steps:
                    if not step(passage):
                        break
            except CauceError:
                raise
            except Exception as cause:
                raise Poisoned(passage.item.position, step.__qualname__, cause) from cause

    def _flush(self, offset: int, *, decided: bool = False) -> None:
        for stage in self.stages:
            stage.flush()
        marks = [(_OFFSET, offset), (_DECIDED, offset)] if decided else [(_OFFSET, offset)]
        if self._turns is not None:
            marks.append((_COMMITS, self._commits + 1))
        self.tables.upsert(PROGRESS, marks)

    def _committed(self) -> None:
        self._commits += 1
        for stage in self.stages:
            stage.committed()

    def _roll_back(self) -> None:
        for stage in self.stages:
            stage.rolled_back()


def contents(runner: Runner, reader: Reader) -> dict[str, Iterator[Any]]:
    """Everything the state says, by table, in key order: what two equal states have in common.

    A stage whose tables depend on how batches were cut (blocks, files) offers `contents(reader)` itself.
    """
    found: dict[str, Iterator[Any]] = {}
    for stage in runner.stages:
        offered = getattr(stage, "contents", None)
        if offered is not None:
            found.update(offered(reader))
            continue
        for table in stage.tables:
            found[table.name] = (row for chunk in reader.scan_all(table) for row in chunk)
    return found


def _cut(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Groups for one commit each: a decision stands alone, so that what it rebuilds finds all earlier events stored."""
    group: list[Record] = []
    for record in records:
        if record.connector == DECISIONS:
            if group:
                yield group
            yield [record]
            group = []
        else:
            group.append(record)
    if group:
        yield group


@contextmanager
def _collector_resting() -> Iterator[None]:
    """No cyclic garbage collection inside: a batch makes a million objects and no circles, and looking for circles
    among them took half of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _without_event(item: Received, poisoned: dict[int, Reason]) -> Received:
    reason = poisoned.get(item.position)
    if reason is None:
        return item
    return Received(item.position, item.source, item.channel, item.received, item.raw, None, (reason,), item.replay_of)
