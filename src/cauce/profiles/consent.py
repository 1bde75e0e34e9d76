"""Consent: who may be addressed for which purpose through which channel, said when, where and by which source.

Told by *Consent Given* and *Consent Withdrawn* (properties purpose, channel, source), and by traits named
`consent.<purpose>.<channel>` that are true or false. For one identifier the latest word counts, of equally late ones
the withdrawal; of a person's identifiers the most restrictive counts. So a merge never grants what somebody refused,
and after a split each identifier has its own word again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cauce.model import Event

GIVEN = "Consent Given"
WITHDRAWN = "Consent Withdrawn"
NAMES = frozenset((GIVEN, WITHDRAWN))
PREFIX = "consent."
ANY_CHANNEL = "any"
HISTORY_MAX = 100
"""Words that are kept per identifier, purpose and channel: the latest."""
CONSENTS_MAX = 200
"""Distinct (purpose, channel) that one identifier may have; purposes come from outside, so they are bounded."""
SEPARATOR = "\x1f"

Word = list[Any]
"""[occurred, withdrawn (0 or 1), event id, source, said where]; the largest is the one that counts."""


class ConsentWord(msgspec.Struct, frozen=True):
    """One thing that was said: `said` is where the person said it (a form, a till), as the sender named it."""

    granted: bool
    occurred: int
    source: str
    said: str
    event: str
    identifier: int


class Consent(msgspec.Struct, frozen=True):
    """What a person allows for one purpose through one channel; `word` decided it, `history` is latest first."""

    purpose: str
    channel: str
    granted: bool
    word: ConsentWord
    history: tuple[ConsentWord, ...]


def words_of(event: Event) -> list[tuple[str, Word]]:
    """What an event says about consent, by `purpose␟channel`."""
    said: list[tuple[str, str, bool, str]] = []
    if event.name in NAMES:
        purpose, channel, place = (event.properties.get(key) for key in ("purpose", "channel", "source"))
        if isinstance(purpose, str) and purpose:
            told = place if isinstance(place, str) else ""
            said.append(
                (purpose, channel if isinstance(channel, str) and channel else ANY_CHANNEL, event.name == GIVEN, told)
            )
    for name, value in event.traits.items():
        if name.startswith(PREFIX) and isinstance(value, bool):
            purpose, _, channel = name.removeprefix(PREFIX).partition(".")
            if purpose:
                said.append((purpose, channel or ANY_CHANNEL, value, ""))
    return [
        (
            f"{purpose[:64]}{SEPARATOR}{channel[:64]}",
            [event.occurred, int(not granted), event.id, event.source, told[:256]],
        )
        for purpose, channel, granted, told in said
    ]


def fold_word(history: list[Word] | None, word: Word) -> list[Word]:
    """The history with one more word, latest first."""
    if history is None:
        return [word]
    history.append(word)
    history.sort(reverse=True)
    del history[HISTORY_MAX:]
    return history


def merge_histories(one: list[Word], other: list[Word]) -> list[Word]:
    """The history of both."""
    return sorted(one + other, reverse=True)[:HISTORY_MAX]


def consents_of(histories: Iterable[tuple[int, Mapping[str, list[Word]]]]) -> tuple[Consent, ...]:
    """Consents of a person from the histories of its identifiers, sorted by purpose and channel."""
    by_key: dict[str, list[tuple[int, list[Word]]]] = {}
    for identifier, consents in histories:
        for key, history in consents.items():
            by_key.setdefault(key, []).append((identifier, history))
    return tuple(_consent(key, said) for key, said in sorted(by_key.items()))


def _consent(key: str, said: list[tuple[int, list[Word]]]) -> Consent:
    purpose, _, channel = key.partition(SEPARATOR)
    # The withdrawal (1) of any identifier outweighs; among equals the latest word is the one that is shown.
    identifier, history = max(said, key=lambda pair: (pair[1][0][1], pair[1][0], pair[0]))
    words = sorted(((word, owner) for owner, told in said for word in told), reverse=True)[:HISTORY_MAX]
    return Consent(
        purpose=purpose,
        channel=channel,
        granted=not history[0][1],
        word=_word(history[0], identifier),
        history=tuple(_word(word, owner) for word, owner in words),
    )


def _word(word: Word, identifier: int) -> ConsentWord:
    occurred, withdrawn, event, source, said = word
    return ConsentWord(not withdrawn, occurred, source, said, event, identifier)
