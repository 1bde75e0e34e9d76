"""The only loop: a batch from the log, every item through all stages in order, one commit.

For each batch: read records → decode → every stage *prefetches* what the batch touches (one query per table) →
each item passes all stages in order in memory → every stage *flushes* and the offset moves, in one transaction.
Batches are for I/O only: the result does not depend on where they are cut, and a crash leaves no trace.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from cauce.engines.api import Log, Reader, Table, Tables
from cauce.errors import CauceError
from cauce.model import DECISIONS, Passage, Reason, Received, Record, position_of

PROGRESS = Table("progress", (("id", "integer"), ("position", "integer")), ("id",))

Decode = Callable[[Record], list[Received]]


class Stage(Protocol):
    """What one capability does with one item, and with the state it touches."""

    @property
    def name(self) -> str: ...

    @property
    def tables(self) -> tuple[Table, ...]: ...

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


def progress(reader: Reader) -> int:
    """Offset of the last record whose effects are committed, 0 at the start."""
    rows = reader.select("select position from progress where id = 1")
    return int(rows[0][0]) if rows else 0


class Runner:
    """Moves the log through the stages. One thread owns it; `tables` belongs to it alone while it lives."""

    def __init__(
        self,
        log: Log,
        tables: Tables,
        decode: Decode,
        stages: Sequence[Stage],
        *,
        batch_records: int = 500,
        batch_bytes: int = 8_000_000,
    ) -> None:
        self.log = log
        self.tables = tables
        self.decode = decode
        self.stages = tuple(stages)
        self.batch_records = batch_records
        self.batch_bytes = batch_bytes
        tables.create((PROGRESS, *(table for stage in stages for table in stage.tables)))
        self.offset = progress(tables)

    def run_once(self, until: int | None = None) -> int:
        """Processes one batch, up to record `until`, and commits it; the number of records, 0 when there is no more."""
        records = self.log.read(self.offset, records_max=self.batch_records, bytes_max=self.batch_bytes)
        if until is not None:
            records = [record for record in records if record.offset <= until]
        with _collector_resting():
            for group in _cut(records):
                self._process(group)
        return len(records)

    def drain(self) -> int:
        """Processes everything that is in the log now; the number of records."""
        total = 0
        while count := self.run_once():
            total += count
        return total

    def run(self, stopping: Callable[[], bool], *, idle_seconds: float = 0.01) -> None:
        """Processes until `stopping()` says so, sleeping `idle_seconds` whenever the log has no more."""
        while not stopping():
            if not self.run_once():
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
        waiting = [stage for stage in self.stages if getattr(stage, "due", None) and stage.due()]  # type: ignore[attr-defined]
        if waiting:
            self._commit(self.offset)

    def _process(self, records: Sequence[Record]) -> None:
        items = [item for record in records for item in self._decoded(record)]
        poisoned: dict[int, Reason] = {}
        while True:
            try:
                self._pass(items, poisoned)
                self._commit(records[-1].offset)
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

    def _commit(self, offset: int) -> None:
        with self.tables.transaction():
            for stage in self.stages:
                stage.flush()
            self.tables.upsert(PROGRESS, [(1, offset)])
        self.offset = offset
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
