"""What all benchmarks share: the result line, memory of a process group, a running Cauce, percentiles."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One result. `floor` is what a bare implementation did in the same run, in the same unit.

    `ratio` = value / floor.
    """

    name: str
    value: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    p99_ms: float | None = None
    rss_mb: float | None = None
    parameters: dict[str, Any] = {}


def show(figure: Figure) -> None:
    """Prints the figure as one line of JSON."""
    plain = msgspec.to_builtins(figure)
    for key in ("value", "floor", "ratio", "p99_ms", "rss_mb"):
        if plain[key] is not None:
            plain[key] = float(f"{plain[key]:.4g}")
    sys.stdout.write(json.dumps(plain) + "\n")
    sys.stdout.flush()


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of `values`; NaN when there are none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def group_rss_mb(pid: int) -> float:
    """Memory of a process and its descendants in MB: proportional set size, so that shared pages count once."""
    total = 0
    with_children = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in with_children:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total / 1e6


class MemoryWatch:
    """Samples the memory of a process group in the background; `peak_mb` is the largest seen."""

    def __init__(self, pid: int, *, seconds: float = 0.5) -> None:
        self.peak_mb = 0.0
        self._pid, self._seconds = pid, seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(self._seconds):
            try:
                self.peak_mb = max(self.peak_mb, group_rss_mb(self._pid))
            except psutil.NoSuchProcess:
                return


@contextmanager
def folder() -> Iterator[Path]:
    """A scratch folder on disk (not in memory), removed afterwards; CAUCE benchmarks sync for real."""
    base = os.environ.get("BENCH_FOLDER") or tempfile.gettempdir()
    path = Path(tempfile.mkdtemp(prefix="cauce-bench-", dir=base))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def kept_folder(identifiers: int, events: int) -> Iterator[Path]:
    """A folder for a large installation; below BENCH_PREPARED, when that is set, it stays for other benchmarks."""
    kept = os.environ.get("BENCH_PREPARED")
    if kept:
        yield Path(kept) / f"{identifiers}-{events}"
        return
    with folder() as scratch:
        yield scratch


@contextmanager
def cauce_up(data: Path, *options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A real `cauce up` process and its URL; nothing but the machine bounds how often a token asks."""
    environment = {"CAUCE_TOKEN_REQUESTS_PER_MINUTE": "100000000", **environment}
    command = [sys.executable, "-m", "cauce", "--data", str(data), "up", "--port", "0", "--json", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        if "--no-runner" not in options:
            wait_until_ready(url)
        yield process, url
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(url: str, *, seconds: float = 60.0) -> None:
    """Returns when the intake takes events in and a runner processes them."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"{url} was not ready within {seconds:g} s")
