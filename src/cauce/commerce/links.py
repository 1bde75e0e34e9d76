"""Signed links: the last step of an address that leads to one thing for a time, and that nobody can make up."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from cauce.errors import NotFound

SIGNATURE_BYTES = 16
LINK_CHARACTERS_MAX = 200


class Link(NamedTuple):
    """What a link leads to: the number of something, until when (microseconds)."""

    id: int
    until: int


class Links:
    """Makes and opens the links to one sort of thing, with a key of its own, derived from the secret.

    `purpose` sets its key apart from those of all others (16 bytes at most); `missing` makes what those are told who
    open something else: whole sentences, which can be said in any language.
    """

    def __init__(self, secret: bytes, purpose: bytes, missing: Callable[[], NotFound]) -> None:
        self._key = blake2b(secret, digest_size=32, person=purpose).digest()
        self._missing = missing

    def link(self, id_: int, until: int) -> str:
        """The same for the same thing and time."""
        body = msgspec.msgpack.encode((id_, until))
        return base64.urlsafe_b64encode(self._signature(body) + body).decode().rstrip("=")

    def opened(self, link: str, now: int) -> Link:
        """What a link leads to; NotFound for one that was not made here or whose time is over."""
        text = link[:LINK_CHARACTERS_MAX]
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            packed = b""
        signature, body = packed[:SIGNATURE_BYTES], packed[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(body)):
            raise self._missing()
        found = Link(*msgspec.msgpack.decode(body, type=tuple[int, int]))
        if found.until <= now:
            raise NotFound("this link has run out")
        return found

    def _signature(self, body: bytes) -> bytes:
        return blake2b(body, key=self._key, digest_size=SIGNATURE_BYTES).digest()
