"""The ASGI application: the intake first, everything else through Starlette."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from cauce.errors import CauceError, NotFound
from cauce.events.intake import GroupCommit
from cauce.http import health, metrics
from cauce.http.api.application import Api
from cauce.http.api.table import OPERATIONS
from cauce.http.asgi import ASGI, Receive, Scope, Send
from cauce.http.guard import Guard
from cauce.http.health import Health
from cauce.http.intake import Intake
from cauce.http.metrics import Metrics
from cauce.http.problems import response_of
from cauce.http.prompt import Prompt
from cauce.http.readers import Readers

Pages = Callable[[Any, Readers], list[BaseRoute]]
"""Routes of the pages over a platform, of which the last may answer whatever no other route knows."""


def create_app(platform: Any, pages: Pages | None = None) -> ASGI:
    """The application over an open platform: `.log`, `.sources`, `.settings`, `.health()`, `.quality.counts()`.

    `pages` makes the routes of the console, which is another door: who starts the server brings both together.

    It closes what it opens itself (the group commit) when the server shuts down, not the platform.
    """
    measured = Metrics()
    commit = GroupCommit(platform.log, platform.settings.queue_bytes_max, observe=measured.committed)
    measured.queue.set_function(lambda: commit.queue_bytes)
    seen = Health(platform, commit)
    readers = Readers()
    api = Api(platform)
    routes: list[BaseRoute] = [
        *health.routes(seen),
        *metrics.routes(measured, seen),
        *api.routes(),
        *(pages(platform, readers) if pages else ()),
    ]
    intake = Intake(platform.sources, commit, platform.settings, seen, measured)
    rest = Guard(Starlette(routes=routes, exception_handlers={CauceError: _problem, 404: _unknown}), platform)

    prompt = Prompt(platform, OPERATIONS, rest)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            door = intake if intake.serves(scope["path"]) else prompt if prompt.serves(scope) else rest
            await door(scope, receive, send)
        elif kind == "lifespan":
            await _live(receive, send, [commit, seen, api])
        else:
            await rest(scope, receive, send)

    return app


async def _live(receive: Receive, send: Send, closing: list[GroupCommit | Health | Api]) -> None:
    """The server's lifespan: what is waiting at its end is written before it ends."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            for part in closing:
                part.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _problem(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, CauceError)
    return response_of(fault, request)


async def _unknown(request: Request, _fault: Exception) -> Response:
    return response_of(NotFound(f"there is nothing at {request.url.path}", hint="See docs/reference"), request)
