"""Trying changed identity rules on the recorded history, in a process of its own: no door waits for it.

It reads what is committed and changes nothing. One trial runs at a time; the last results are kept in memory.
The process is `cauce.app.trial`: it gets an `Order` and says line by line (`Told`) how far it is.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from typing import Any, Literal

import msgspec

from cauce.errors import Conflict, NotFound
from cauce.identity.api import DryRun, Rules
from cauce.settings import Settings

TRIALS_KEPT = 10

State = Literal["running", "done", "failed", "stopped"]
"""*failed* with a reason; *stopped* by somebody."""


class Order(msgspec.Struct, frozen=True):
    """What the process is to do."""

    settings: dict[str, Any]
    rules: dict[str, Any]


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the process: progress, the result, or why there is none."""

    events: int = 0
    events_total: int = 0
    report: DryRun | None = None
    fault: str = ""


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
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._watches: dict[str, threading.Thread] = {}

    def start(self, rules: Rules, by: str) -> str:
        """Begins a trial and gives its id; Conflict while another one runs."""
        with self._lock:
            if self._processes:
                raise Conflict("another trial of rules is running", hint="Wait for its end, or stop it")
            trial = Trial(secrets.token_hex(6), by, time.time_ns() // 1_000, rules.as_dict())
            process = subprocess.Popen(
                [sys.executable, "-m", "cauce.app.trial"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            self._trials[trial.id] = trial
            self._processes[trial.id] = process
            while len(self._trials) > TRIALS_KEPT:
                self._trials.popitem(last=False)
        order = Order(self._settings.as_dict(), trial.rules)
        watch = threading.Thread(target=self._watch, args=(trial.id, process, order), name="trial-watch", daemon=True)
        with self._lock:
            self._watches[trial.id] = watch
        watch.start()
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

    def wait(self, id: str, seconds: float) -> Trial:
        """How a trial is doing once it has ended, or after so many seconds."""
        with self._lock:
            watch = self._watches.get(id)
        if watch is not None:
            watch.join(seconds)
        return self.get(id)

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
            process.wait(timeout=10)

    def _watch(self, id: str, process: subprocess.Popen[bytes], order: Order) -> None:
        """Gives the order and takes in what the process tells, until it ends."""
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            with suppress(OSError):  # it may have ended already
                process.stdin.write(msgspec.json.encode(order))
                process.stdin.close()
            for line in process.stdout:
                self._told(id, msgspec.json.decode(line, type=Told))
        with self._lock:
            del self._processes[id], self._watches[id]
            trial = self._trials[id]
            if trial.state == "running":
                self._change(id, state="failed", fault=f"the trial ended by itself ({process.returncode})")

    def _told(self, id: str, told: Told) -> None:
        with self._lock:
            if self._trials[id].state != "running":
                return
            if told.report is not None:
                self._change(id, state="done", report=told.report, seconds=self._age_seconds(id))
            elif told.fault:
                self._change(id, state="failed", fault=told.fault)
            else:
                self._change(id, events=told.events, events_total=told.events_total)

    def _age_seconds(self, id: str) -> float:
        return time.time() - self._trials[id].started / 1e6

    def _change(self, id: str, **changed: Any) -> None:
        self._trials[id] = msgspec.structs.replace(self._trials[id], **changed)
