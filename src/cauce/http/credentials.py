"""Write keys, wherever clients put them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

QUERY_NAMES = ("writeKey", "api_key", "token")


@lru_cache(maxsize=4_096)
def of_header(value: bytes) -> str:
    """The key of an Authorization header: user name of `Basic`, or the `Bearer` token; "" when there is none."""
    scheme, _, rest = value.partition(b" ")
    scheme = scheme.lower()
    if scheme == b"bearer":
        return rest.strip().decode("latin-1")
    if scheme != b"basic":
        return ""
    try:
        return base64.b64decode(rest.strip() + b"==").decode("latin-1").partition(":")[0]
    except binascii.Error:
        return ""


def of_query(query: bytes) -> str:
    """The key in a query string; "" when there is none."""
    if not query:
        return ""
    found = parse_qs(query.decode("latin-1"), max_num_fields=100)
    return next((found[name][0] for name in QUERY_NAMES if name in found), "")


def of_items(envelope: dict[str, Any], items: list[Any]) -> Iterator[str]:
    """Keys that a body may carry: in its envelope, or in its first call."""
    first = items[0] if items and isinstance(items[0], dict) else {}
    properties = first.get("properties")
    for holder in (envelope, first, properties if isinstance(properties, dict) else {}):
        for name in QUERY_NAMES:
            key = holder.get(name)
            if isinstance(key, str) and key:
                yield key
