"""Cursors: where a page ended, signed, and bound to the question that it belongs to."""

from __future__ import annotations

import base64
import binascii
import hmac
from hashlib import blake2b
from typing import Any

import msgspec

from cauce.errors import Unreadable

SIGNATURE_BYTES = 12
PURPOSE = b"cauce cursors"
"""At most 16 bytes, so that the key signs nothing else."""


class Cursors:
    """Writes and reads cursors with a key derived from the installation's secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = blake2b(secret, digest_size=32, person=PURPOSE).digest()

    def write(self, question: str, place: tuple[Any, ...]) -> str:
        """The cursor for a place in the answers to a question; "" for the place ()."""
        if not place:
            return ""
        body = msgspec.msgpack.encode(place)
        return base64.urlsafe_b64encode(self._signature(question, body) + body).decode().rstrip("=")

    def read(self, question: str, cursor: str) -> tuple[Any, ...]:
        """The place that `write` was given, () for ""; Unreadable when it was not written here or for this question."""
        if not cursor:
            return ()
        try:
            packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            packed = b""
        signature, body = packed[:SIGNATURE_BYTES], packed[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(question, body)):
            raise Unreadable(
                f"expected cursor to be one that a page of this very question gave, got {cursor[:80]!r}",
                hint="Leave it out to begin anew; it does not outlive a change of the other parameters",
            )
        return msgspec.msgpack.decode(body, type=tuple[Any, ...])

    def _signature(self, question: str, body: bytes) -> bytes:
        text = question.encode("utf-8", "surrogatepass")
        return blake2b(body + b"\0" + text, key=self._key, digest_size=SIGNATURE_BYTES).digest()
