"""Chance as a pure function: (seed, purpose, numbers) always draw the same, one at a time or a million at once.

Draws are hashes (the finaliser of SplitMix64), so any person, day or step can be drawn without what is before it.
`draw` and `draws` agree bit by bit; so do `share` and `shares`.
"""

from __future__ import annotations

import random
import zlib
from typing import Any

import numpy
from numpy.typing import NDArray

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_FIRST = 0x9E37_79B9_7F4A_7C15
_SECOND = 0xC2B2_AE3D_27D4_EB4F
_THIRD = 0xBF58_476D_1CE4_E5B9
_FOURTH = 0x94D0_49BB_1331_11EB

Integers = NDArray[numpy.int64]
Words = NDArray[numpy.uint64]
Shares = NDArray[numpy.float64]


def key(seed: int, purpose: str) -> int:
    """The 64-bit key of one purpose (*email, starts, …*) under a seed; purposes are independent of each other."""
    return _finish((seed * _FIRST + zlib.crc32(purpose.encode()) * _SECOND + 1) & _MASK)


def draw(purpose_key: int, first: int, second: int = 0) -> int:
    """64 random bits that belong to the numbers `first` and `second`."""
    return _finish((purpose_key + first * _FIRST + second * _SECOND) & _MASK)


def share(purpose_key: int, first: int, second: int = 0) -> float:
    """A number of [0, 1) that belongs to `first` and `second`."""
    return (draw(purpose_key, first, second) >> 11) * 2.0**-53


def draws(purpose_key: int, first: Integers, second: int = 0) -> Words:
    """`draw` for every element of `first`."""
    offset = numpy.uint64((purpose_key + second * _SECOND) & _MASK)
    word: Words = first.astype(numpy.uint64) * numpy.uint64(_FIRST) + offset
    word ^= word >> numpy.uint64(30)
    word *= numpy.uint64(_THIRD)
    word ^= word >> numpy.uint64(27)
    word *= numpy.uint64(_FOURTH)
    word ^= word >> numpy.uint64(31)
    return word


def shares(purpose_key: int, first: Integers, second: int = 0) -> Shares:
    """`share` for every element of `first`."""
    result: Shares = (draws(purpose_key, first, second) >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-53
    return result


def _finish(word: int) -> int:
    word ^= word >> 30
    word = word * _THIRD & _MASK
    word ^= word >> 27
    word = word * _FOURTH & _MASK
    return word ^ word >> 31


class Dice:
    """A sequence of draws for one session; `roll` starts the sequence of another one. Not for secrets."""

    __slots__ = ("_random", "share")

    def __init__(self, start: int = 0) -> None:
        self._random = random.Random(start)  # noqa: S311 - a synthetic world must be repeatable, not secret
        self.share = self._random.random

    def roll(self, start: int) -> None:
        self._random.seed(start)

    def below(self, limit: int) -> int:
        """A whole number of 0 … limit − 1. Uses only `random()`, whose sequence Python guarantees across versions."""
        return int(self.share() * limit)

    def pick(self, options: Any) -> Any:
        """One element of a sequence, each equally likely."""
        return options[int(self.share() * len(options))]

    def hits(self, probability: float) -> bool:
        return self.share() < probability
