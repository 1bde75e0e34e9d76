"""Style, script, icons: read once, compressed once, served under an address that holds a hash of their content."""

from __future__ import annotations

import gzip
from functools import cache
from hashlib import blake2b
from importlib.resources import files as resources
from importlib.resources.abc import Traversable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cauce.errors import NotFound

MEDIA = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "txt": "text/plain; charset=utf-8",
}
PREFIX = "/static"
FOREVER = "public, max-age=31536000, immutable"


class StaticFile(msgspec.Struct, frozen=True):
    """A file with its media type, its address and its compressed form (empty when that saves nothing)."""

    body: bytes
    compressed: bytes
    media: str
    url: str
    digest: str


@cache
def files() -> dict[str, StaticFile]:
    """Every file of `static` by its path."""
    found: dict[str, StaticFile] = {}
    _gather(resources("cauce.console") / "static", "", found)
    return found


def _gather(folder: Traversable, prefix: str, found: dict[str, StaticFile]) -> None:
    for entry in folder.iterdir():
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            _gather(entry, f"{path}/", found)
        elif (media := MEDIA.get(entry.name.rpartition(".")[2])) is not None:
            body = entry.read_bytes()
            digest = blake2b(body, digest_size=6).hexdigest()
            compressed = gzip.compress(body, 9, mtime=0)
            found[path] = StaticFile(
                body, compressed if len(compressed) < len(body) else b"", media, f"{PREFIX}/{digest}/{path}", digest
            )


def url_of(name: str) -> str:
    """The address of a file; NotFound (a programmer's error) when there is none of that name."""
    if name not in files():
        raise NotFound(f"there is no static file {name!r}")
    return files()[name].url


def route() -> Route:
    """Serves the files: for ever under the present hash, for now under another one."""

    async def serve(request: Request) -> Response:
        file = files().get(request.path_params["name"])
        if file is None:
            raise NotFound(f"there is nothing at {request.url.path}")
        headers = {
            "cache-control": FOREVER if request.path_params["digest"] == file.digest else "no-cache",
            "content-type": file.media,
            "vary": "accept-encoding",
            "x-content-type-options": "nosniff",
        }
        if file.compressed and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(file.compressed, headers={**headers, "content-encoding": "gzip"})
        return Response(file.body, headers=headers)

    return Route(PREFIX + "/{digest}/{name:path}", serve, methods=["GET"])
