"""`cauce up`: the HTTP door and, beside it, a runner, an indexer and a clerk that are started again when they die."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
import msgspec
import uvicorn

from cauce import console
from cauce.app import Platform
from cauce.cli.main import errors, json_option, settings_of
from cauce.errors import SettingInvalid
from cauce.http.app import create_app
from cauce.settings import Settings

RESTART_SECONDS_MAX = 5.0
STOP_SECONDS_MAX = 15.0
"""How long a companion may take to end by itself."""
BACKLOG = 2_048
INDEXER_NICENESS = 10


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


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket; SettingInvalid when the address cannot be had. Port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)  # who connects before the server is up waits instead of being refused
    except OSError as fault:
        listener.close()
        raise SettingInvalid(
            f"cannot listen on {host}:{port}: {fault.strerror}", hint="Choose another with --port, 0 takes a free one"
        ) from None
    try:
        yield listener
    finally:
        listener.close()


def url_of(listener: socket.socket) -> str:
    """The base URL a person can open."""
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - only shown
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def server_for(platform: Platform) -> uvicorn.Server:
    """The HTTP server over the platform's doors."""
    return uvicorn.Server(
        uvicorn.Config(
            create_app(platform, pages=console.routes),
            http="httptools",
            access_log=False,
            server_header=False,
            log_level="warning",
            backlog=BACKLOG,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=10,
        )
    )


@click.command()
@click.option("--host", help="Address to listen on; default 127.0.0.1.")
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one; default 8080.")
@click.option("--runner/--no-runner", "with_runner", default=True, help="Start the runner process too (default).")
@json_option
@click.pass_context
def up(context: click.Context, host: str | None, port: int | None, with_runner: bool, as_json: bool) -> None:
    """Start Cauce: receive events over HTTP, process them, answer questions. Ctrl-C stops it."""
    settings = settings_of(context, host=host, port=port)
    with Platform.open(settings) as platform, listening(settings.host, settings.port) as listener:
        url = url_of(listener)
        server = server_for(platform)
        companions = [Companion(settings, name) for name in (["runner"] if with_runner else []) + ["indexer", "clerk"]]
        for companion in companions:
            companion.start()
        started = {"url": url, "data": str(settings.folder), "pid": os.getpid(), **first_sign_in(platform, url)}
        # One line, so that a program that starts Cauce reads it without waiting for an end that does not come.
        click.echo(msgspec.json.encode(started) if as_json else _welcome(started))
        sys.stdout.flush()
        # The server ends gracefully at a signal and then raises it again: it must not end us before the companions.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        try:
            server.run(sockets=[listener])
        finally:
            for companion in companions:
                companion.stop()


def first_sign_in(platform: Platform, url: str) -> dict[str, str]:
    """The link by which the owner to be chooses a name and a password, as `sign_in`; nothing once there is an owner."""
    link = platform.access.accounts.first_link()
    return {"sign_in": f"{url}/sign-in/link?key={link.secret}"} if link else {}


def _welcome(started: dict[str, object]) -> str:
    look = started.get("sign_in")
    first = (
        f"\n  become owner  {look}\n                (works once; further people: cauce users add NAME)" if look else ""
    )
    return (
        f"Cauce listens on {started['url']}  (data in {Path(str(started['data'])).resolve()})\n"
        f"  send events   {started['url']}/v1/batch   keys: cauce sources add NAME --channel web\n"
        f"  look          {started['url']}/           or: cauce status{first}"
    )


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


@click.command()
@companion_option
@click.pass_context
def runner(context: click.Context, parent: int | None) -> None:
    """Process the log until stopped, without a door; `cauce up` starts one by itself.

    On PostgreSQL any number of them share the work. An embedded installation has one; a further one waits for its turn.
    """
    with stopped_by_signals(parent) as stopping, Platform.open(settings_of(context)) as platform:
        platform.run(stopping)


@click.command(hidden=True)
@companion_option
@click.pass_context
def indexer(context: click.Context, parent: int | None) -> None:
    """Keep the search index up to date until stopped, and make pages ready (started by `cauce up`)."""
    with stopped_by_signals(parent) as stopping, Platform.open(settings_of(context)) as platform:
        with suppress(OSError):
            os.nice(INDEXER_NICENESS)  # the river and the doors go first
        threading.Thread(target=console.prepare, args=(platform.settings.folder,), daemon=True).start()
        platform.search.follow(stopping)
