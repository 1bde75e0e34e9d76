"""Cross-origin answers for the intake: any site may send events, because a write key is all that it takes.

Only the intake uses this; what reads people stays closed to other origins.
"""

from __future__ import annotations

from cauce.http.problems import Headers

MAX_AGE_SECONDS = b"86400"


def headers_for(origin: bytes) -> Headers:
    """Headers that let a page of `origin` read the answer; none when the request came from no page."""
    if not origin:
        return []
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"retry-after"),
        (b"vary", b"origin"),
    ]


def preflight(headers: dict[bytes, bytes], methods: bytes) -> Headers:
    """Headers of the answer to OPTIONS: what was asked for is allowed."""
    answer = headers_for(headers.get(b"origin", b"") or b"*")
    if b"origin" not in headers:
        answer = [(name, value) for name, value in answer if name != b"access-control-allow-credentials"]
    answer.append((b"access-control-allow-methods", methods + b", OPTIONS"))
    requested = headers.get(b"access-control-request-headers")
    if requested:
        answer.append((b"access-control-allow-headers", requested))
    if headers.get(b"access-control-request-private-network") == b"true":
        answer.append((b"access-control-allow-private-network", b"true"))
    answer.append((b"access-control-max-age", MAX_AGE_SECONDS))
    return answer
