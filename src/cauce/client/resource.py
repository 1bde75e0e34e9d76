"""What all resources of the client are made of."""

from __future__ import annotations

from urllib.parse import quote

from cauce.client.transport import Transport

PAGE_ITEMS = 200


class Resource:
    """One group of operations."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport


def part(text: str) -> str:
    """One step of a path, whatever it holds."""
    return quote(text, safe=":@")
