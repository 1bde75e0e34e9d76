"""The only loop: a batch from the log, every item through all stages in order, one commit.

For each batch: read records → decode → every stage *prefetches* what the batch touches (one query per table) →
each item passes all stages in order in memory → every stage *flushes* and the offset moves, in one transaction.
Batches are for I/O only: the result does not depend on where they are cut, and a crash leaves no trace.

Several runners may share one state (`Turns`). Each takes a stretch of the log and prepares it (reads and decodes it)
beside the others; what they prepared passes the *gate* in the order of the log, one runner at a time, each after it has
forgotten what the others may have changed. What a stage does by subject (`Laned`) is not done there: the gate leaves a
*parcel* for each *lane* of subjects, and whoever is free folds the parcels of a lane that nobody else is folding. So
people are partitioned, and no event is ever applied by two, or before its time. Who finds nobody else folds at once.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, runtime_checkable

import msgspec

from cauce.engines.api import Log, Reader, Table, Tables, Turns
from cauce.errors import CauceError
from cauce.model import DECISIONS, Passage, Reason, Received, Record, position_of

PROGRESS = Table("progress", (("id", "integer"), ("position", "integer")), ("id",))
_OFFSET, _DECIDED, _COMMITS = 1, 2, 3
"""Rows of the table: the last record that is committed, the last of them that was a decision, and, where runners share
the state, how many commits there were: some move no record (history files that are listed)."""

PARCELS = Table(
    "parcel",
    (("lane", "integer"), ("after", "integer"), ("stage", "text"), ("body", "blob")),
    ("lane", "after", "stage"),
)
"""What batches say to the subjects of each lane and is not folded yet; `after` is the last record before the batch.
Empty wherever one runner is alone, and wherever the river rests."""
TABLES = (PROGRESS, PARCELS)

LANES_PER_FOLD = 16
"""Lanes that one transaction folds: few enough that several runners find some, many enough to read in bulk."""
LEFT_BEHIND = 2
"""Batches after which a runner that waits for its turn looks after the parcels of others."""
STRETCHES_AHEAD = 16
"""How far ahead of the last commit a runner prepares: more stretches than runners help nobody."""

RECORDS_PER_COLLECTION = 100_000
"""Records after which all objects are looked through for garbage in circles; a tenth of a second to half of one."""

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


@runtime_checkable
class Laned(Protocol):
    """A stage part of whose work concerns one subject each and may be done later, in any order, lane by lane."""

    @property
    def name(self) -> str: ...

    def parcels(self) -> Mapping[int, bytes]:
        """What the batch says, by lane: in the place of `flush`, when others are there and nothing is decided."""
        ...

    def fold(self, bodies: Sequence[bytes]) -> None:
        """Writes what parcels of some lanes say, under the definitions in force; inside the runner's transaction."""
        ...

    def refresh(self, *, decided: bool) -> None: ...


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
    """Offset of the last record that has passed the gate, 0 at the start: counted, identified, in the archive."""
    return _marks(reader)[0]


def settled(reader: Reader) -> int:
    """Offset of the last record all of whose effects are committed; behind `progress` while parcels wait."""
    return _reached(reader)[1]


def rests(reader: Reader) -> bool:
    """Whether no parcel waits: the state says all that the records up to `progress` have to say, and nothing else."""
    done, folded = _reached(reader)
    return done == folded


def _reached(reader: Reader) -> tuple[int, int]:
    """`progress` and `settled` at one moment."""
    ((done, waiting),) = reader.select(
        f"select (select position from progress where id = {_OFFSET}), (select min(after) from parcel)"
    )
    done = int(done or 0)
    return done, done if waiting is None else int(waiting)


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
        tables.create((*TABLES, *(table for stage in stages for table in stage.tables)))
        self.offset, self._decided, self._commits = _marks(tables)
        self._collected = self.offset

    def run_once(self, until: int | None = None) -> int:
        """Processes one batch, up to record `until`, and commits it; the number of records.

        0 when there is no more, or (with turns) nothing that this runner could commit now. With turns it also folds
        the parcels that wait, as far as nobody else does.
        """
        with self._collector_resting():
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
        gc.unfreeze()
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

    @contextmanager
    def _collector_resting(self) -> Iterator[None]:
        """No cyclic garbage collection inside: a batch makes a million objects and no circles, and looking for circles
        among them took half of its time. What outlives it (working sets) is looked through now and then only."""
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if was_enabled:
                if self.offset >= self._collected + RECORDS_PER_COLLECTION:
                    gc.unfreeze()
                    gc.collect()
                    self._collected = self.offset
                gc.freeze()
                gc.enable()

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
        done, folded = _reached(self.tables)
        part = self._part_at(turns, done, until)
        if part is None or part.after > done:
            # Who has passed the gate folds what it left there; what is older was left behind, by who died perhaps.
            if folded < done - (self.batch_records * LEFT_BEHIND if part is not None else 0):
                self._fold(turns)
            return 0
        self._part = None
        try:
            for records, items in part.groups:
                self._process(records, items, part.decided)
        except Overtaken:
            return 0
        finally:
            turns.leave(part.stretch)
        self._fold(turns)
        return sum(len(records) for records, _ in part.groups)

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

    # -- lanes --------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Returns when no parcel waits that was there at the call: folds them, also those that others began with."""
        if self._turns is not None:
            with self.tables.transaction():
                self._fold_all(self._turns)

    def _fold(self, turns: Turns) -> None:
        """Folds the parcels of all lanes that nobody else is folding, some lanes in one transaction."""
        while lanes := self._lanes():
            with self.tables.transaction():
                mine = turns.lanes(lanes, LANES_PER_FOLD)
                self._fold_parcels(mine)
            if not mine:
                return

    def _fold_all(self, turns: Turns) -> None:
        """Folds every parcel, and leaves none to others until the end of the transaction."""
        turns.all_lanes()
        self._fold_parcels(self._lanes())

    def _lanes(self) -> list[int]:
        """The lanes in which parcels wait."""
        return [lane for (lane,) in self.tables.select("select distinct lane from parcel order by lane")]

    def _fold_parcels(self, lanes: Sequence[int]) -> None:
        """Folds what waits in lanes that this transaction holds."""
        if not lanes:
            return
        rows = self.tables.select_keys("select stage, body, after from parcel where lane in {keys}", lanes)
        # Whoever decides takes all lanes first: while this one has some, no other decisions come into force.
        is_decided = _marks(self.tables)[1] != self._decided
        for stage in self.stages:
            bodies = [body for name, body, _ in rows if name == stage.name]
            if bodies and isinstance(stage, Laned):
                if is_decided:
                    stage.refresh(decided=True)
                stage.fold(bodies)
        # Not the lanes whole: batches pass the gate meanwhile, one after the other, and leave later parcels in them.
        last = max((after for _, _, after in rows), default=0)
        listed = ", ".join(str(int(lane)) for lane in lanes)
        self.tables.execute(f"delete from parcel where lane in ({listed}) and after <= ?", [last])

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
                    is_decision = records[0].connector == DECISIONS
                    leaves = self._turns is not None and not (is_decision or self._turns.is_alone())
                    if self._turns is not None and not leaves:
                        self._fold_all(self._turns)  # under the definitions that they were left under
                    self._pass(items, poisoned)
                    self._flush(records[-1].offset, decided=is_decision, leaves_parcels=leaves)
                self.offset = records[-1].offset
                if is_decision:
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

    def _flush(self, offset: int, *, decided: bool = False, leaves_parcels: bool = False) -> None:
        for stage in () if leaves_parcels else self.stages:
            fetch = getattr(stage, "fetch", None)
            if fetch is not None:  # questions first: behind the changes of other stages they would wait for those
                fetch()
        parcels: list[tuple[int, int, str, bytes]] = []
        for stage in self.stages:
            if leaves_parcels and isinstance(stage, Laned):
                parcels += [(lane, self.offset, stage.name, body) for lane, body in sorted(stage.parcels().items())]
            else:
                stage.flush()
        if parcels:
            self.tables.upsert(PARCELS, parcels)
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


def _without_event(item: Received, poisoned: dict[int, Reason]) -> Received:
    reason = poisoned.get(item.position)
    if reason is None:
        return item
    return Received(item.position, item.source, item.channel, item.received, item.raw, None, (reason,), item.replay_of)
