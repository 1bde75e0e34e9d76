"""Errors as answers: status by code, and the body `{"code": …, "message": …}` that every client gets."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from cauce.errors import Busy, CauceError

STATUS_BY_CODE = {
    "busy": 503,
    "conflict": 409,
    "definition_invalid": 422,
    "locked": 503,
    "method_not_allowed": 405,
    "missing_extra": 501,
    "not_found": 404,
    "overloaded": 429,
    "setting_invalid": 400,
    "storage_broken": 503,
    "too_large": 413,
    "unauthorised": 401,
    "unreadable": 400,
    "unsupported": 501,
}
RETRY_SECONDS = 5
JSON = (b"content-type", b"application/json")

Headers = list[tuple[bytes, bytes]]


class Overloaded(Busy):
    """The door takes events in faster than the river carries them off."""

    code = "overloaded"


class MethodNotAllowed(CauceError):
    """The path exists, but not for this method; `allowed` are those it exists for."""

    code = "method_not_allowed"

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(f"expected {allowed} here, got {method}")
        self.allowed = allowed


def status_of(fault: CauceError) -> int:
    """The status of an error, 500 when its code says none."""
    return STATUS_BY_CODE.get(fault.code, 500)


def body_of(fault: CauceError) -> bytes:
    """The JSON body of an error; one client retries for ever when it has no `code`."""
    return msgspec.json.encode({"code": fault.code, "message": str(fault)})


def headers_of(fault: CauceError) -> Headers:
    """What a client must know beside the body: when to try again, what is allowed, how to identify itself."""
    status = status_of(fault)
    headers = [JSON]
    if status in (429, 503):
        seconds = fault.retry_after_seconds if isinstance(fault, Busy) else RETRY_SECONDS
        headers.append((b"retry-after", str(seconds).encode()))
    if isinstance(fault, MethodNotAllowed):
        headers.append((b"allow", fault.allowed.encode()))
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="cauce"'))
    return headers


def response_of(fault: CauceError) -> Response:
    """An error as an answer of Starlette's."""
    headers = {name.decode(): value.decode() for name, value in headers_of(fault)}
    return Response(body_of(fault), status_of(fault), headers)
