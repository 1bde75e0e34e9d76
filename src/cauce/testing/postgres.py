"""A private PostgreSQL for tests and benchmarks: started as an unprivileged user, on a socket and a port of its own.

    with PrivateServer.started(folder) as server:
        url = server.fresh_database()

Needs the server's programs (`initdb`, `postgres`), or the wheel `pgserver`, which brings them.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from cauce.errors import StorageBroken

PATIENCE_SECONDS = 60.0
UNPRIVILEGED = ("postgres", "nobody")
HOMES = ("/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt")
SETTINGS = {
    "fsync": "off",  # nobody cuts the power of a test
    "full_page_writes": "off",
    "synchronous_commit": "on",
    "shared_buffers": "128MB",
    "max_connections": "200",
    "max_wal_size": "2GB",
    "log_min_messages": "fatal",
    "timezone": "UTC",
}


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`, None when this machine has none."""
    found = [Path(name) for name in os.environ.get("PATH", "").split(os.pathsep)]
    for home in map(Path, HOMES):
        found += sorted(home.glob("*/bin"), reverse=True)
    wheel = importlib.util.find_spec("pgserver")
    if wheel is not None and wheel.origin is not None:
        found.append(Path(wheel.origin).parent / "pginstall" / "bin")
    for folder in found:
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            # A link in a folder of links does not lead to the files beside it.
            return (folder / "postgres").resolve().parent
    return None


def _user() -> str | None:
    """Whom to run the server as: it refuses to run as root. None: as the present user."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return None


class PrivateServer:
    """One server in a folder; `start`, `stop` and `kill` may be repeated, and address and data stay the same."""

    def __init__(self, folder: Path, binaries: Path, **settings: str) -> None:
        self.folder = folder
        self.port = _free_port()
        self._binaries = binaries
        self._settings = {**SETTINGS, **settings}
        self._user = _user()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)

    @classmethod
    @contextmanager
    def started(cls, folder: Path | None = None, **settings: str) -> Iterator[PrivateServer]:
        """A running server in a fresh folder, stopped and removed at the end; StorageBroken without its programs."""
        binaries = programs()
        if binaries is None:
            raise StorageBroken(
                "PostgreSQL's initdb and postgres were not found", hint="Install PostgreSQL 14 or newer, or `pgserver`"
            )
        base = Path(tempfile.mkdtemp(prefix="cauce-pg-", dir=folder))
        server = cls(base, binaries, **settings)
        try:
            server._initialise()
            server.start()
            yield server
        finally:
            server.stop()
            shutil.rmtree(base, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://cauce@127.0.0.1:{self.port}/{database}"

    def fresh_database(self) -> str:
        """The URL of a new, empty database."""
        import psycopg  # noqa: PLC0415 - the rest of this module works without the extra

        name = f"fresh_{os.getpid()}_{next(self._numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"create database {name} strategy file_copy".encode())
        return self.url(name)

    def start(self) -> None:
        """Returns when the server answers."""
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        command = [str(self._binaries / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a program of this machine
                [*command, "-h", "127.0.0.1", "-k", str(self.folder), *options], cwd=self.folder, user=self._user,
                extra_groups=[] if self._user else None, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        end = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise StorageBroken(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2_000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends it as an administrator would in a hurry: sessions are cut, data are safe."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Ends it as a crash would: no session is told, and the next start recovers."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _initialise(self) -> None:
        if self._user:
            shutil.chown(self.folder, self._user)
        done = subprocess.run(  # noqa: S603 - a program of this machine
            [
                self._binaries / "initdb", "-D", self.folder / "data", "-U", "cauce", "-A", "trust", "-E", "UTF8",
                "--locale=C", "--no-sync", "--no-instructions",
            ],
            cwd=self.folder, user=self._user, extra_groups=[] if self._user else None,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise StorageBroken(f"initdb failed: {done.stderr[-2_000:]}")

    def _answers(self) -> bool:
        ready = (self.folder / "data" / "postmaster.pid").exists() and (
            "ready" in (self.folder / "data" / "postmaster.pid").read_text()
        )
        if not ready:
            return False
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.wait(timeout=PATIENCE_SECONDS)
        self._process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
