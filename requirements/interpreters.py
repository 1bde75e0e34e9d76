"""Which Python makes `.venv`: of the same version, the quickest build on this machine.

Builds of one version differ: version managers compile without profile-guided optimisation, distributions with it, and
everything that Cauce does in Python then takes a fifth longer. Which one is quicker is measured, not guessed from how
it says it was built: a distribution's flags do not always tell.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

GAIN_MIN = 0.07
"""Another one is taken when it needs that much less time: less is noise, and the user named the first one."""

ROUNDS = 8
PROBE_SECONDS_MAX = 20
PROBE = """
import ctypes, ensurepip, json, lzma, os, sqlite3, ssl, sys, time, venv, zlib

class Counter:
    def __init__(self):
        self.counts = {}
    def add(self, row):
        name, _, value = row.partition(":")
        counts = self.counts
        held = counts.get(name)
        if held is None:
            counts[name] = [value]
        elif len(held) < 8:
            held.append(value)
        else:
            counts[name] = [max(held)]

def once():
    started = time.process_time()
    counter = Counter()
    for number in range(40_000):
        counter.add(f"{number % 997}:{number}")
    total = sum(len(name) + len(held) for name, held in sorted(counter.counts.items()))
    return time.process_time() - started if total else 0.0

print(json.dumps({
    "executable": os.path.realpath(sys._base_executable),
    "version": sys.version_info[:2],
    "seconds": min(once() for _ in range(7)),
}))
"""


class Interpreter(NamedTuple):
    """A Python that can make a virtual environment, and the processor time it needs for a piece of work."""

    executable: str
    version: tuple[int, int]
    seconds: float


def quickest() -> str:
    """The Python to make the environment with: the running one, or one on the PATH that is clearly quicker.

    They are measured in turns, because the machine may be busy with something else for a moment.
    """
    own = measured(sys.executable)
    if own is None:
        return sys.executable
    found = [other for path in on_path(*own.version) if (other := measured(path))]
    best = {one.executable: one for one in [*found, own]}
    if len(best) > 1:
        for _ in range(ROUNDS):
            for executable, held in best.items():
                if again := measured(executable):
                    best[executable] = min(held, again, key=lambda one: one.seconds)
    return chosen(best.pop(own.executable), best.values()).executable


def chosen(own: Interpreter, others: Iterable[Interpreter]) -> Interpreter:
    """The quickest of the same version; `own` unless another one gains `GAIN_MIN`."""
    best = min((other for other in others if other.version == own.version), key=lambda one: one.seconds, default=own)
    return best if best.seconds < own.seconds * (1 - GAIN_MIN) else own


def on_path(major: int, minor: int) -> list[str]:
    """Every executable of the PATH that is called like that version, each once."""
    found: dict[str, str] = {}
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for name in (f"python{major}.{minor}", f"python{major}"):
            path = Path(folder) / name
            if path.is_file() and os.access(path, os.X_OK):
                found.setdefault(os.path.realpath(path), str(path))
    return list(found.values())


def measured(path: str) -> Interpreter | None:
    """What a Python says of itself; None when it lacks a part that Cauce or its environment needs."""
    try:
        said = subprocess.run(
            [path, "-I", "-c", PROBE], capture_output=True, text=True, check=True, timeout=PROBE_SECONDS_MAX
        )
        facts = json.loads(said.stdout)
        return Interpreter(facts["executable"], tuple(facts["version"]), facts["seconds"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None
