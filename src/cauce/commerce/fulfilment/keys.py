"""Codes and links of pick-ups: derived from the installation's secret, so that nobody needs to keep them.

The database holds only a keyed hash of a code. Who holds the database alone can neither read a code nor try them out.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from cauce.commerce.fulfilment.rules import codes
from cauce.errors import NotFound

HASH_BYTES = 16
SIGNATURE_BYTES = 16
LINK_CHARACTERS_MAX = 200
ROUNDS = 64
"""Codes that an order can have had, one after the other; two orders never have the same one."""


class Link(NamedTuple):
    """What a signed link speaks of: an order, until when (microseconds)."""

    order: int
    until: int


class Keys:
    """Makes and checks codes and links with keys of their own, derived from the secret."""

    def __init__(self, secret: bytes) -> None:
        self._code = blake2b(secret, digest_size=32, person=b"pick-up code").digest()
        self._hash = blake2b(secret, digest_size=32, person=b"pick-up hash").digest()
        self._link = blake2b(secret, digest_size=32, person=b"pick-up link").digest()

    def code(self, order: int, round_: int) -> str:
        """The code of an order; each round is another one."""
        return codes.code_of(blake2b(f"{order}:{round_}".encode(), key=self._code, digest_size=32).digest())

    def hash(self, code: str) -> str:
        """What is stored of a code."""
        return blake2b(code.encode(), key=self._hash, digest_size=HASH_BYTES).hexdigest()

    def hashes(self, order: int) -> tuple[str, ...]:
        """What would be stored of each code that an order can have, from round 1 on."""
        return tuple(self.hash(self.code(order, round_)) for round_ in range(1, ROUNDS + 1))

    def link(self, order: int, until: int) -> str:
        """The last step of an address that the person gets, and nobody can make up."""
        body = msgspec.msgpack.encode((order, until))
        return base64.urlsafe_b64encode(self._signature(body) + body).decode().rstrip("=")

    def opened(self, link: str, now: int) -> Link:
        """What a link speaks of; NotFound for one that was not made here or whose time is over."""
        try:
            text = link[:LINK_CHARACTERS_MAX]
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            packed = b""
        signature, body = packed[:SIGNATURE_BYTES], packed[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(body)):
            raise NotFound("there is no pick-up behind this link", hint="Open it as it stands in the message, whole")
        found = Link(*msgspec.msgpack.decode(body, type=tuple[int, int]))
        if found.until <= now:
            raise NotFound("this link has run out")
        return found

    def _signature(self, body: bytes) -> bytes:
        return blake2b(body, key=self._link, digest_size=SIGNATURE_BYTES).digest()
