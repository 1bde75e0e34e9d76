"""The storm: a process with many clients, killed and started again; then everything acknowledged is looked for."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import IO

import msgspec

from cauce.commerce.proof import CHECKS, Broken, broken
from cauce.commerce.transact.asking import marks
from cauce.engines.api import Tables
from cauce.testing.storm.engines import opened
from cauce.testing.storm.victim import Acknowledged

CLIENTS = 32
LIFE_SECONDS = (0.3, 2.0)
"""How long a process lives before it is killed, from and to."""
KEYS_PER_QUESTION = 500
FAULTS_MAX = 50
FAILURES = frozenset({"storage_broken", "error"})
"""Answers that no client should ever get: the last line of defence had to speak."""


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried and what was found.

    `failed`: answers that no client should ever get; `lost`: acknowledged and not there, or there with another answer;
    `doubled`: one key that was told two answers; `broken`: invariants that did not hold after a kill.
    """

    seed: int
    seconds: float
    kills: int
    answers: int
    done: dict[str, int]
    refused: dict[str, int]
    repeated: int
    checks: tuple[str, ...]
    failed: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    broken: tuple[Broken, ...] = ()

    @property
    def holds(self) -> bool:
        return not (self.failed or self.lost or self.doubled or self.broken)


class Storm:
    """One storm over one store; `on_kill` is told how many kills there were and how many answers."""

    def __init__(
        self, place: str, seed: int, *, clients: int = CLIENTS, on_kill: Callable[[int, int], None] | None = None
    ) -> None:
        self._place = place
        self._seed = seed
        self._clients = clients
        self._on_kill = on_kill or (lambda _kills, _answers: None)
        self._chance = random.Random(seed)  # noqa: S311 - a simulation's dice
        self._told: dict[str, str] = {}
        """Key -> what a client was told, once that must be remembered."""
        self._fresh: list[str] = []
        self._done: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._answers = self._repeated = 0
        self._failed: list[str] = []
        self._lost: list[str] = []
        self._doubled: list[str] = []
        self._broken: dict[Broken, None] = {}

    def rage(self, *, seconds: float = 0.0, kills: int = 0) -> Proven:
        """Kills and looks, for so long or so often, whichever is more; then once more with nobody at work."""
        started, done = time.monotonic(), 0
        while time.monotonic() - started < seconds or done < kills:
            self._live(self._chance.uniform(*LIFE_SECONDS), self._seed * 1_000 + done)
            done += 1
            self._look()
            self._on_kill(done, self._answers)
        self._fresh = list(self._told)
        self._look()
        return Proven(
            seed=self._seed, seconds=round(time.monotonic() - started, 1), kills=done, answers=self._answers,
            done=dict(sorted(self._done.items())), refused=dict(sorted(self._refused.items())),
            repeated=self._repeated, checks=tuple(CHECKS),
            failed=tuple(self._failed[:FAULTS_MAX]), lost=tuple(self._lost[:FAULTS_MAX]),
            doubled=tuple(self._doubled[:FAULTS_MAX]), broken=tuple(self._broken)[:FAULTS_MAX],
        )  # fmt: skip

    def _live(self, seconds: float, seed: int) -> None:
        """One life of the process, ended by SIGKILL in the middle of its work."""
        command = [sys.executable, "-m", "cauce.testing.storm.victim", self._place, str(seed), str(self._clients)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - our own program
        assert process.stdout is not None, "asked for"
        first = process.stdout.readline()  # so that starting up is no part of its life
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            self._hear(first)
            self._listen(process.stdout)
        finally:
            timer.cancel()
            process.kill()
            process.wait()
            process.stdout.close()

    def _listen(self, lines: IO[bytes]) -> None:
        for line in lines:
            if not line.endswith(b"\n"):
                return  # the kill came in the middle of a line
            self._hear(line)

    def _hear(self, line: bytes) -> None:
        said = msgspec.json.decode(line, type=Acknowledged)
        self._answers += 1
        if said.code in FAILURES:
            self._failed.append(f"{said.sort} {said.key}: {said.code}")
        if said.code:
            self._refused[said.code] += 1
        else:
            self._done[said.sort] += 1
        if not said.answer:
            return
        before = self._told.setdefault(said.key, said.answer)
        if before is not said.answer:
            self._repeated += 1
            if before != said.answer:
                self._doubled.append(f"{said.key}: told {before[:200]} and {said.answer[:200]}")
        else:
            self._fresh.append(said.key)

    def _look(self) -> None:
        """Opens the store as it was left, and looks for what was acknowledged since the last time."""
        tables = opened(self._place)
        try:
            for start in range(0, len(self._fresh), KEYS_PER_QUESTION):
                self._compare(tables, self._fresh[start : start + KEYS_PER_QUESTION])
            self._fresh = []
            self._broken.update(dict.fromkeys(broken(tables, 0)))
        finally:
            tables.close()

    def _compare(self, tables: Tables, keys: list[str]) -> None:
        asked = f"select key, answer from command where key in ({marks(keys)})"
        kept: dict[str, str] = dict(tables.select(asked, keys))
        for key in keys:
            if kept.get(key) != self._told[key]:
                self._lost.append(f"{key}: told {self._told[key][:200]}, kept {str(kept.get(key))[:200]}")
