"""Codes and links of pick-ups: derived from the installation's secret, so that nobody needs to keep them.

The database holds only a keyed hash of a code. Who holds the database alone can neither read a code nor try them out.
"""

from __future__ import annotations

from hashlib import blake2b

from cauce.commerce.fulfilment.rules import codes
from cauce.commerce.links import Links
from cauce.errors import NotFound

HASH_BYTES = 16
ROUNDS = 64
"""Codes that an order can have had, one after the other; two orders never have the same one."""


class Keys:
    """Makes and checks codes and links with keys of their own, derived from the secret."""

    def __init__(self, secret: bytes) -> None:
        self._code = blake2b(secret, digest_size=32, person=b"pick-up code").digest()
        self._hash = blake2b(secret, digest_size=32, person=b"pick-up hash").digest()
        self.links = Links(secret, b"pick-up link", _missing)
        """What leads the person, and nobody else, to the code of an order."""

    def code(self, order: int, round_: int) -> str:
        """The code of an order; each round is another one."""
        return codes.code_of(blake2b(f"{order}:{round_}".encode(), key=self._code, digest_size=32).digest())

    def hash(self, code: str) -> str:
        """What is stored of a code."""
        return blake2b(code.encode(), key=self._hash, digest_size=HASH_BYTES).hexdigest()

    def hashes(self, order: int) -> tuple[str, ...]:
        """What would be stored of each code that an order can have, from round 1 on."""
        return tuple(self.hash(self.code(order, round_)) for round_ in range(1, ROUNDS + 1))


def _missing() -> NotFound:
    return NotFound("there is no pick-up behind this link", hint="Open it as it stands in the message, whole")
