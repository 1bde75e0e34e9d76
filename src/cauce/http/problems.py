"""Errors as answers: status by code, and the body `{"code": …, "message": …, "details": …}` that every client gets.

Who accepts `application/problem+json` gets the same as RFC 9457 has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cauce.client.types.basics import Details, Error, Fault, Problem
from cauce.errors import Busy, CauceError, Unreadable

STATUS_BY_CODE = {
    "busy": 503,
    "conflict": 409,
    "definition_invalid": 422,
    "ended": 409,
    "forbidden": 403,
    "internal_error": 500,
    "locked": 503,
    "method_not_allowed": 405,
    "missing_extra": 501,
    "not_found": 404,
    "overloaded": 429,
    "precondition_failed": 412,
    "precondition_required": 428,
    "setting_invalid": 400,
    "shortage": 409,
    "storage_broken": 503,
    "throttled": 429,
    "too_large": 413,
    "unauthorised": 401,
    "unreadable": 400,
    "unsupported": 501,
}
RETRY_SECONDS = 5
JSON = (b"content-type", b"application/json")
PROBLEM = "application/problem+json"
EXPLAINED_AT = "/docs/api"

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


class Misfit(Unreadable):
    """Parameters or a body that do not fit; `faults` say what and where."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        shown = "; ".join(sentence(fault) for fault in faults[:5])
        super().__init__(shown if len(faults) <= 5 else f"{shown}; and {len(faults) - 5} more")
        self.faults = list(faults)


NO_SUCH = "no such "
"""How the expectation of a fault begins when its place should not be there at all."""


def sentence(fault: Fault) -> str:
    """A fault in words: *expected limit to be `int` >= 1, got "0"*."""
    name = fault.path.strip("/").replace("/", ".") or "the body"
    if fault.expected.startswith(NO_SUCH):
        what, _, hint = fault.expected.removeprefix(NO_SUCH).partition(". ")
        return f"there is no {what} {name!r}" + (f". {hint}" if hint else "")
    got = f", got {fault.found}" if fault.found else ""
    return f"expected {name} to be {fault.expected}{got}"


def status_of(fault: CauceError) -> int:
    """The status of an error, 500 when its code says none."""
    return STATUS_BY_CODE.get(fault.code, 500)


def details_of(fault: CauceError) -> Details:
    """What a program may want to know of an error beside its code."""
    return Details(
        hint=fault.hint,
        faults=fault.faults if isinstance(fault, Misfit) else [],
        retry_after_seconds=seconds_of(fault),
        about=about if isinstance(about := getattr(fault, "details", None), dict) else {},
    )


def seconds_of(fault: CauceError) -> int:
    """After how many seconds to try again; 0 when that makes no sense."""
    if status_of(fault) not in (429, 503):
        return 0
    return fault.retry_after_seconds if isinstance(fault, Busy) else RETRY_SECONDS


def body_of(fault: CauceError) -> bytes:
    """The JSON body of an error; one client retries for ever when it has no `code`."""
    return msgspec.json.encode(Error(code=fault.code, message=str(fault), details=details_of(fault)))


def problem_of(fault: CauceError, path: str) -> bytes:
    """The body of an error as RFC 9457 has it; `path` is where it happened."""
    status = status_of(fault)
    return msgspec.json.encode(
        Problem(
            type=f"{EXPLAINED_AT}#{fault.code}",
            title=HTTPStatus(status).phrase,
            status=status,
            detail=str(fault),
            instance=path,
            code=fault.code,
            message=str(fault),
            details=details_of(fault),
        )
    )


def headers_of(fault: CauceError) -> Headers:
    """What a client must know beside the body: when to try again, what is allowed, how to identify itself."""
    status = status_of(fault)
    headers = [JSON]
    if status in (429, 503):
        headers.append((b"retry-after", str(seconds_of(fault)).encode()))
    if isinstance(fault, MethodNotAllowed):
        headers.append((b"allow", fault.allowed.encode()))
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="cauce"'))
    return headers


def response_of(fault: CauceError, request: Request | None = None) -> Response:
    """An error as an answer of Starlette's, in the form that the request accepts."""
    headers = {name.decode(): value.decode() for name, value in headers_of(fault)}
    if request is not None and PROBLEM in request.headers.get("accept", ""):
        return Response(problem_of(fault, request.url.path), status_of(fault), {**headers, "content-type": PROBLEM})
    return Response(body_of(fault), status_of(fault), headers)
