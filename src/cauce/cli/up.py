"""`cauce up`: the HTTP door and, beside it, a runner, an indexer and a clerk that are started again when they die."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
import uvicorn

from cauce.app import Platform
from cauce.cli.companion import Companion
from cauce.cli.main import json_option, settings_of
from cauce.errors import SettingInvalid

BACKLOG = 2_048


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
    # Here, because they take as long to load as all else together, and `cauce --help` loads every command.
    from cauce import console  # noqa: PLC0415 see above
    from cauce.http.app import create_app  # noqa: PLC0415 see above
    from cauce.http.together import WritingTogether  # noqa: PLC0415 see above

    return uvicorn.Server(
        uvicorn.Config(
            create_app(platform, pages=console.routes),
            http=WritingTogether,
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
        # The server ends gracefully at a signal and then raises it again: it must not end us before the companions. Nor
        # may a signal before it listens be lost, as an exception is that is raised wherever the program just was.
        signal.signal(signal.SIGTERM, lambda *_: setattr(server, "should_exit", True))
        try:
            with set_aside():
                server.run(sockets=[listener])
        finally:
            for companion in companions:
                companion.stop()


@contextmanager
def set_aside() -> Iterator[None]:
    """Takes all that is loaded out of what the garbage collector looks through meanwhile: it stays to the end anyway.

    Looking through it stopped every request for some 100 ms, again and again under load. At the end it is given back,
    because libraries complain of what is not collected when the program ends.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


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
