"""Finding people for doors: by any identifier or name, as people type them, and why each was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from cauce.errors import Busy, DefinitionInvalid, Locked, NotFound
from cauce.identity.api import text_of
from cauce.search.follower import ERASED, IDENTIFIERS_PER_STEP, Follower, Sight, entries_of
from cauce.search.rules import (
    BEGINNING,
    EXACT,
    REVERSED,
    SIMILAR,
    WRONG_DIGIT_DIGITS_MIN,
    Asked,
    Entry,
    Fit,
    asked,
    errors_allowed,
    fit,
    folded,
    is_typed,
    near_keys,
    similarity,
    terms_of,
    together,
    why,
)
from cauce.search.store import LAST_ID, Index, Place, writer

__all__ = ["BEGINNING", "ERASED", "EXACT", "SIMILAR", "Found", "Hit", "Search", "Sight", "Standing"]

CANDIDATES_MAX = 300
"""Entries that are looked at for one query; whoever wants to see more asks more precisely."""
ENOUGH = 5
"""Entries after which typing errors are not looked for."""
FEW = 1
"""Entries after which no word is left out."""
LEFT_OUT_WORDS_MAX = 4
LIMIT_MAX = 100
SIMILAR_WORDS_MAX = 24
"""Words that one mistyped word may have meant."""
POLL_SECONDS = 0.05
TURN_SECONDS = 0.5
LOOKED_UP_EVERY = 100
"""One entry of so many is looked up by its own words when the index is compared with the state."""
LOOKS_AGAIN = 5
STEPS_WHILE_ASKED = 3
"""Steps that a question itself does when nobody else keeps the index up to date."""


class Hit(msgspec.Struct, frozen=True):
    """Somebody who was found: person id, why (*exact*, *beginning*, *similar*), and the text that matched.

    `kind` is that of the identifier whose value `matched` is, *name* for a name and *person* for a person id.
    """

    person: int
    why: str
    kind: str
    matched: str

    @property
    def text(self) -> str:
        """The person's id as shown."""
        return text_of(self.person)


class Found(msgspec.Struct, frozen=True):
    """People, best first. `cursor` goes on, empty at the end; `more` says that there are more than are looked at."""

    hits: tuple[Hit, ...]
    cursor: str = ""
    more: bool = False


class Standing(msgspec.Struct, frozen=True):
    """How far the index is: `complete` when it has seen every identifier, `behind` when events wait for it."""

    entries: int
    position: int
    complete: bool
    behind: bool


class Search:
    """The search over one installation, for one thread; several may be open."""

    def __init__(self, path: Path, sight: Sight) -> None:
        self._path = path
        self._sight = sight
        self._index: Index | None = None

    def find(self, text: str, limit: int = 20, cursor: str = "", *, exact: bool = False) -> Found:
        """People who fit a text: `kind:value`, a person id, a value of any kind, its beginning, or words of a name.

        Accents, capitals and blanks do not matter, a number may lack its beginning, and words may be misspelt.
        `exact`: only who is known by exactly that; for those who may not see personal data, because beginnings that
        fit would tell them letter by letter.
        """
        if not 1 <= limit <= LIMIT_MAX:
            raise DefinitionInvalid(f"expected limit to be 1–{LIMIT_MAX}, got {limit}")
        start = _read_cursor(cursor)
        self._catch_up()
        with self._sight.reader.snapshot():
            hits = {hit.person: hit for hit in self._known(text)}
            fitting, more = ([], False) if exact else self._fitting(text, loosely=not hits)
            for hit in fitting:
                hits.setdefault(hit.person, hit)
        page = list(hits.values())[start : start + limit]
        return Found(tuple(page), str(start + limit) if start + limit < len(hits) else "", more)

    def standing(self) -> Standing:
        """How far the index has come."""
        index = self._reading()
        if index is None:
            return Standing(0, 0, complete=False, behind=True)
        place = index.place()
        return Standing(
            index.count(), place.position, place.is_swept, place.position < self._sight.archive.last_position()
        )

    # -- keeping up ---------------------------------------------------------------------------------------------

    def refresh(self, *, anew: bool = False, seconds_max: float = 600.0) -> None:
        """Returns when the index says what the state says, and what was erased is wiped from it.

        Works here, or waits for the process that follows the river; Busy when that takes too long. `anew` builds it
        from nothing.
        """
        deadline = time.monotonic() + seconds_max
        while anew or self.unfinished():
            with suppress(Locked), writer(self._path) as index:
                if anew:
                    index.begin_anew()
                    anew = False
                follower = Follower(index, self._sight)
                while follower.step():
                    pass
                continue
            if time.monotonic() > deadline:
                raise Busy(f"{self._path} is not up to date after {seconds_max:g} s", retry_after_seconds=60)
            time.sleep(POLL_SECONDS)

    def unfinished(self) -> bool:
        """Whether something is still to be done: events to follow, identifiers to sweep over, bytes to wipe."""
        index = self._reading()
        place = Place(0, 0, scrub=False) if index is None else index.place()
        return place.position < self._sight.archive.last_position() or not place.is_swept or place.scrub

    def differing(self) -> tuple[int, list[int]]:
        """How many entries were compared with the state, and the identifiers whose entries differ from it.

        Brings the index up to date first. What was changed while it looked is looked at again.
        """
        self.refresh()
        index = self._reading()
        assert index is not None, "an index that was brought up to date is there"
        compared, differing, after = 0, set[int](), 0
        while after < LAST_ID:
            members = self._sight.people.identifiers_after(after, IDENTIFIERS_PER_STEP)
            until = members[-1].id if len(members) == IDENTIFIERS_PER_STEP else LAST_ID
            present, wanted = index.between(after, until), entries_of(self._sight, members)
            compared += len(present.keys() | wanted.keys())
            differing |= _unlike(index, present, wanted)
            after = until
        for _ in range(LOOKS_AGAIN):
            if not differing:
                break
            self.refresh()
            members = self._sight.people.identifiers_of(differing)
            differing = _unlike(index, index.entries(differing), entries_of(self._sight, members))
        return compared, sorted(differing)

    def follow(self, stopping: Callable[[], bool]) -> None:
        """Keeps the index up to date until `stopping()` says so; waits for its turn while another process does."""
        while not stopping():
            with suppress(Locked), writer(self._path) as index:
                Follower(index, self._sight).run(stopping)
                return
            time.sleep(TURN_SECONDS)

    def close(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None

    # -- inner --------------------------------------------------------------------------------------------------

    def _reading(self) -> Index | None:
        """The reading side; None as long as there is no index of this version."""
        if self._index is None and self._path.exists():
            self._index = Index(self._path)
        return self._index if self._index is not None and self._index.is_usable else None

    def _catch_up(self) -> None:
        """Some steps, when the index is behind and nobody else follows."""
        if not self.unfinished():
            return
        with suppress(Locked), writer(self._path) as index:
            follower = Follower(index, self._sight)
            for _ in range(STEPS_WHILE_ASKED):
                if not follower.step():
                    return

    def _known(self, text: str) -> list[Hit]:
        """Those who are known by exactly that text, straight from identity: never late, whatever the index does."""
        people, index = self._sight.people, self._reading()
        text = text.strip()
        hits = []
        with suppress(NotFound, DefinitionInvalid):
            person = people.locate(text)
            named = next((one for one in person.identifiers if str(one) == text), None)
            hits.append(Hit(person.id, EXACT, named.kind if named else "person", named.value if named else person.text))
        members = people.recognised(text, index.kinds() if index is not None else ())
        owners = people.owners(member.id for member in members)
        return hits + [Hit(owners[member.id], EXACT, member.kind, member.value) for member in members]

    def _fitting(self, text: str, *, loosely: bool) -> tuple[list[Hit], bool]:
        """People in whose names and values the text is found, best first; and whether there are more of them.

        `loosely`: also those who fit nearly, when few fit well.
        """
        query, index = asked(text), self._reading()
        if index is None or not (query.words or query.number):
            return [], False
        meant: list[dict[str, float]] = [{} for _ in query.words]
        found: dict[int, Entry] = {}
        more = False
        for questions, needed in _number_stages(query.number) if query.number else _stages(index, query, meant):
            if len(found) >= needed or (needed < CANDIDATES_MAX and not loosely):
                break
            for groups in questions:
                most = CANDIDATES_MAX // len(questions)
                entries = index.matching(groups, most)
                found.update((entry.id, entry) for entry in entries)
                more = more or len(entries) == most
        return self._ranked(query, meant, found.values()), more

    def _ranked(self, query: Asked, meant: Sequence[Mapping[str, float]], entries: Collection[Entry]) -> list[Hit]:
        """The people of entries, best first; equals in order of the matched text, then of the person."""
        owners = self._sight.people.owners(entry.id for entry in entries)
        fits: dict[int, list[Fit]] = {}
        whole: set[int] = set()
        for entry in entries:
            if entry.id in owners:
                fits.setdefault(owners[entry.id], []).append(fit(query, entry, meant))
                if entry.value and folded(entry.value) == folded(query.text):
                    whole.add(owners[entry.id])
        people = {person: together(found) for person, found in fits.items()}
        order = sorted(people.items(), key=lambda pair: (-pair[1].score, folded(pair[1].text), pair[0]))
        return [
            Hit(person, EXACT if person in whole else why(best), best.kind, best.text)
            for person, best in order
            if best.score > 0
        ]


def _unlike(index: Index, present: Mapping[int, Entry], wanted: Mapping[int, Entry]) -> set[int]:
    """Identifiers whose entries are not those that are wanted, or are not found by their own words."""
    unlike = {id for id in present.keys() | wanted.keys() if present.get(id) != wanted.get(id)}
    for id in sorted(present.keys() - unlike)[::LOOKED_UP_EVERY]:
        terms = sorted(terms_of(present[id]))
        if terms and not index.is_found(id, terms):
            unlike.add(id)
    return unlike


Stage = tuple[list[list[list[str]]], int]
"""Questions (groups of terms) asked together, unless so many entries were found before."""


def _stages(index: Index, query: Asked, meant: list[dict[str, float]]) -> Iterator[Stage]:
    """What to look for, one after the other: all words whole, all begun, misspelt, all but one. Fills in `meant`.

    A single letter says too little to be looked for; it counts when what was found is put in order.
    """
    places = [place for place, word in enumerate(query.words) if len(word) > 1]
    words = [query.words[place] for place in places]
    if not words:
        return
    yield [[[word] for word in words]], CANDIDATES_MAX
    if not query.ended:
        # Whoever still types has not come to the end of the last word; an earlier one that nobody has is a beginning.
        begun = [[word] if index.has(word) else [f"{word}*"] for word in words[:-1]]
        yield [[*begun, [f"{words[-1]}*"]]], CANDIDATES_MAX
    for place, word in zip(places, words, strict=True):
        meant[place].update(_misspelt(index, word))
    maybe = [[word, *meant[place]] for place, word in zip(places, words, strict=True)]
    yield [[*maybe[:-1], [*maybe[-1], *([] if query.ended else [f"{words[-1]}*"])]]], ENOUGH
    if 1 < len(words) <= LEFT_OUT_WORDS_MAX:
        # One word may be none of theirs: a title, a married name, a second number.
        yield [maybe[:left_out] + maybe[left_out + 1 :] for left_out in range(len(words))], FEW


def _misspelt(index: Index, word: str) -> dict[str, float]:
    """Known words that a word may have meant and how well they fit, nearest first."""
    if not is_typed(word) or not errors_allowed(word):
        return {}
    scored = [(similarity(word, other), other) for other in index.near(near_keys(word))]
    # What begins so was found before.
    nearest = sorted(
        (pair for pair in scored if pair[0] and not pair[1].startswith(word)), key=lambda pair: (-pair[0], pair[1])
    )
    return {other: score for score, other in nearest[:SIMILAR_WORDS_MAX]}


def _number_stages(number: str) -> Iterator[Stage]:
    """A number's beginning and its end; then with one digit wrong, which leaves one half right."""
    backwards = REVERSED + number[::-1]
    yield [[[f"{number}*"]], [[f"{backwards}*"]]], CANDIDATES_MAX
    if len(number) >= WRONG_DIGIT_DIGITS_MIN:
        half = len(number) // 2
        yield [[[f"{number[: len(number) - half]}*"]], [[f"{backwards[: 1 + half]}*"]]], ENOUGH


def _read_cursor(cursor: str) -> int:
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 7):
        raise DefinitionInvalid(f"expected a cursor as a page gave it, got {cursor[:50]!r}")
    return int(cursor)
