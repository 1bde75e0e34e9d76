"""The API as routes for the application: the operations, the OpenAPI document, and the page that explains them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound, Route, Router
from starlette.types import Receive, Scope, Send

from cauce.errors import NotFound
from cauce.http.api import openapi, page
from cauce.http.api.door import HEADERS, Door, raw
from cauce.http.api.table import OPERATIONS, RESOURCES
from cauce.http.problems import response_of
from cauce.registry import nearest

if TYPE_CHECKING:
    from cauce.app import Platform

PREFIX = "/v1/"
DOCUMENT = "/v1/openapi.json"
PAGE = "/docs/api"


@cache
def document() -> bytes:
    """The OpenAPI document as it is served; always the same."""
    return msgspec.json.encode(openapi.document(OPERATIONS, RESOURCES))


@cache
def explanation() -> str:
    """The page as HTML, for no installation in particular."""
    return page.rendered(OPERATIONS, RESOURCES)


class Api:
    """The API of a platform. Close it; the platform stays open."""

    def __init__(self, platform: Platform) -> None:
        self._door = Door(platform, OPERATIONS)

    def routes(self) -> list[BaseRoute]:
        """What goes into the application."""

        async def explained(request: Request) -> Response:
            return page.response(explanation(), str(request.base_url).rstrip("/"))

        return [Below(PREFIX, self._router()), Route(PAGE, explained, methods=["GET"])]

    def _router(self) -> Router:
        async def told(_request: Request) -> Response:
            return Response(document(), media_type="application/json")

        async def unknown(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope["path"][:200]
            known = sorted({operation.path for operation in OPERATIONS})
            fault = NotFound(f"there is nothing at {path}", hint=f"{nearest(path, known)} — {PAGE} lists all")
            response = response_of(fault, Request(scope))
            response.headers.update(HEADERS)
            await response(scope, receive, send)

        routes = [Route(DOCUMENT, told, methods=["GET"]), *self._door.routes()]
        return Router(routes, redirect_slashes=False, default=unknown)

    def close(self) -> None:
        self._door.close()


class Below(BaseRoute):
    """Everything below a prefix, by its path as it was sent: so a slash of a value is told from one of the address."""

    def __init__(self, prefix: str, router: Router) -> None:
        self._prefix = prefix
        self._router = router

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        fits = scope["type"] == "http" and scope["path"].startswith(self._prefix)
        return (Match.FULL if fits else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._router({**scope, "path": raw(scope["path"], scope.get("raw_path"))}, receive, send)
