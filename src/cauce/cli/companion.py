"""Processes beside the HTTP door: how `cauce up` keeps them alive, and how they know that they should end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from cauce.cli.main import errors
from cauce.settings import Settings

RESTART_SECONDS_MAX = 5.0
STOP_SECONDS_MAX = 15.0
"""How long a companion may take to end by itself."""


class Companion:
    """Keeps one companion process (`cauce runner` …) alive until `stop`; waits longer after each quick death."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._name = name
        command = [sys.executable, "-m", "cauce", "--data", str(settings.folder), name]
        self._command = [*command, "--companion-of", str(os.getpid())]
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name=f"{name}-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._starting:  # so that nobody is started whom nobody stops
            self._stopping.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._thread.join(timeout=STOP_SECONDS_MAX)
            self._process.kill()  # whatever it waits for: what it did not commit, the next one does again
        self._thread.join(timeout=STOP_SECONDS_MAX)

    def _watch(self) -> None:
        wait_seconds = 0.1
        while not self._stopping.is_set():
            started = time.monotonic()
            with self._starting:
                if self._stopping.is_set():
                    return
                self._process = subprocess.Popen(self._command)  # noqa: S603 - our own program
            code = self._process.wait()
            if self._stopping.is_set():
                return
            wait_seconds = 0.1 if time.monotonic() - started > 10 else min(wait_seconds * 2, RESTART_SECONDS_MAX)
            errors.print(f"[yellow]{self._name} ended with {code}; starting again in {wait_seconds:.1f} s[/yellow]")
            self._stopping.wait(wait_seconds)


companion_option = click.option(
    "--companion-of", "parent", type=int, hidden=True, help="Process that started this one; ends when that is gone."
)


@contextmanager
def stopped_by_signals(parent: int | None) -> Iterator[Callable[[], bool]]:
    """Says when a process should end: at a signal, or when its `parent`, whose companion it is, is gone.

    An orphan stops by itself, so that a killed `up` leaves nobody behind who holds the state. The parent is told by
    its number, because it may be gone before its companion can ask who it is.
    """
    stopping = threading.Event()
    parent = os.getppid() if parent is None else parent
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    yield lambda: stopping.is_set() or os.getppid() != parent
