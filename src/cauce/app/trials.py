"""Trying changed identity rules on the recorded history, in a process of its own: no door waits for it.

It reads what is committed and changes nothing. One trial runs at a time; the last results are kept in memory.
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Literal

import msgspec

from cauce.app.platform import Platform
from cauce.errors import Busy, CauceError, NotFound
from cauce.identity.api import DryRun, Rules
from cauce.settings import Settings

TRIALS_KEPT = 10
NICENESS = 10
REPORT_SECONDS = 0.2

State = Literal["running", "done", "failed", "stopped"]
Message = tuple[str, Any]


class Trial(msgspec.Struct, frozen=True):
    """How far a trial is: events looked at of all that are stored; `report` when done, `fault` when failed."""

    id: str
    by: str
    started: int
    rules: dict[str, Any]
    state: State = "running"
    events: int = 0
    events_total: int = 0
    report: DryRun | None = None
    fault: str = ""
    seconds: float = 0.0

    @property
    def share(self) -> float:
        """How much of the history it has looked at, 0–1; putting people together takes some time after that."""
        return min(1.0, self.events / self.events_total) if self.events_total else 0.0


class Trials:
    """The trials of one process. Any thread may ask."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._trials: OrderedDict[str, Trial] = OrderedDict()
        self._processes: dict[str, multiprocessing.process.BaseProcess] = {}

    def start(self, rules: Rules, by: str) -> str:
        """Begins a trial and gives its id; Busy while another one runs."""
        with self._lock:
            if self._processes:
                raise Busy("another trial of rules is running", hint="Wait for its end, or stop it")
            trial = Trial(secrets.token_hex(6), by, time.time_ns() // 1_000, rules.as_dict())
            context = multiprocessing.get_context("spawn")
            theirs, ours = context.Pipe(duplex=False)
            process = context.Process(
                target=_try, args=(ours, self._settings.as_dict(), trial.rules), name="cauce trial", daemon=True
            )
            process.start()
            ours.close()
            self._trials[trial.id] = trial
            self._processes[trial.id] = process
            while len(self._trials) > TRIALS_KEPT:
                self._trials.popitem(last=False)
        threading.Thread(target=self._watch, args=(trial.id, theirs, process), name="trial-watch", daemon=True).start()
        return trial.id

    def get(self, id: str) -> Trial:
        """How a trial is doing; NotFound when it is unknown or forgotten."""
        with self._lock:
            found = self._trials.get(id)
        if found is None:
            raise NotFound("that trial is not kept any more", hint="Try the rules again")
        return found

    def list(self) -> list[Trial]:
        """The trials that are kept, latest first."""
        with self._lock:
            return list(reversed(self._trials.values()))

    def stop(self, id: str) -> None:
        """Ends a running trial; nothing when it has ended."""
        with self._lock:
            process = self._processes.get(id)
            if process is not None:
                self._change(id, state="stopped")
                process.terminate()

    def close(self) -> None:
        """Stops what runs and waits for its end."""
        with self._lock:
            running = dict(self._processes)
        for id, process in running.items():
            self.stop(id)
            process.join(timeout=10)

    def _watch(self, id: str, messages: Connection, process: multiprocessing.process.BaseProcess) -> None:
        """Takes in what the process tells, until it ends."""
        with messages, suppress(EOFError, OSError):
            while True:
                what, value = messages.recv()
                with self._lock:
                    self._told(id, what, value)
        process.join()
        with self._lock:
            del self._processes[id]
            trial = self._trials[id]
            fault = f"the trial ended by itself ({process.exitcode})" if trial.state == "running" else trial.fault
            self._change(
                id,
                state="failed" if trial.state == "running" else trial.state,
                fault=fault,
                seconds=time.time() - trial.started / 1e6,
            )

    def _told(self, id: str, what: str, value: Any) -> None:
        if self._trials[id].state != "running":
            return
        if what == "progress":
            self._change(id, events=value[0], events_total=value[1])
        elif what == "report":
            self._change(id, state="done", report=msgspec.convert(value, DryRun))
        else:
            self._change(id, state="failed", fault=value)

    def _change(self, id: str, **changed: Any) -> None:
        self._trials[id] = msgspec.structs.replace(self._trials[id], **changed)


def _try(messages: Connection, settings: dict[str, Any], rules: dict[str, Any]) -> None:
    """The process: compares, tells how far it is, and ends."""
    with suppress(OSError):
        os.nice(NICENESS)
    try:
        with Platform.open(Settings(settings)) as platform, messages:
            batches = _counted(platform.archive.scan(), platform.archive.count(), messages)
            report = platform.people.dry_run(Rules.from_dict(rules), batches)
            messages.send(("report", msgspec.to_builtins(report)))
    except CauceError as fault:
        with suppress(OSError):
            messages.send(("failed", str(fault)))


def _counted(batches: Iterable[list[Any]], total: int, messages: Connection) -> Iterator[list[Any]]:
    """The batches as they are; tells now and then how many events went by."""
    done = 0
    told = 0.0
    for batch in batches:
        yield batch
        done += len(batch)
        if time.monotonic() - told > REPORT_SECONDS:
            told = time.monotonic()
            messages.send(("progress", (done, total)))
    messages.send(("progress", (done, total)))
