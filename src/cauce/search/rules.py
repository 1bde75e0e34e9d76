"""Pure rules of the search: words of a text, how words sound, what counts as a typing error, how well a word fits."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from zlib import crc32

import msgspec
import phonenumbers

TEXT_CHARACTERS_MAX = 200
WORDS_MAX = 12
"""Words of one query, and of one name; more are ignored."""
WORD_CHARACTERS_MAX = 40
SOUND_CHARACTERS = 8
"""Typing errors are looked for in the first characters of a word's sound; the rest is compared afterwards."""
SOUNDING_CHARACTERS_MIN = 3
NUMBER_DIGITS_MIN = 4
WRONG_DIGIT_DIGITS_MIN = 8
"""Digits of a number in which one may be wrong."""
ABROAD_DIGITS_MIN = 10
"""Digits of a number from which `00` at its beginning stands for `+`: a card's last digits may begin so too."""
REVERSED = "~"
"""Marks a number written backwards: so that the last digits of a card or a phone find it."""

AT = "@"
"""Marks the domain of an address."""

NAME_TRAITS = (
    "name", "fullName", "full_name", "firstName", "first_name", "middleName", "middle_name", "lastName", "last_name",
    "surname", "secondLastName", "second_last_name", "nickname", "username", "company",
)  # fmt: skip
"""Traits that people are called by, in the order in which they make up a whole name."""
WHOLE_NAMES = frozenset({"name", "fullName", "full_name", "nickname", "username", "company"})

_WORD = re.compile(r"[^\W_]+")
_NUMBERED = re.compile(r"([^\W\d_]{3,})(\d+)")
_DIGITS = re.compile(r"\d")
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
_CALLING_CODES = frozenset(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))

# How Spanish is misheard and misspelt: b and v, c s and z, g and j, ll and y, h that is not heard, doubled letters.
_SOUNDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        ("ch", "§"),
        ("ph", "f"),
        ("qu(?=[ei])|q|ck", "k"),
        ("gu(?=[ei])", "ĝ"),
        ("g(?=[ei])", "j"),
        ("c(?=[eiy])|z|x", "s"),
        ("c", "k"),
        ("ĝ", "g"),
        ("§", "c"),
        ("h", ""),
        ("[vw]", "b"),
        ("ll|y", "i"),
        ("m(?=[bp])", "n"),
        (r"(.)\1+", r"\1"),
    )
)


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What the index knows of one identifier: `names` are those it was told, whole ones first.

    A device's identifier is no word to search for (`value` is empty then), but it may have been told a name.
    """

    id: int
    kind: str
    value: str
    names: tuple[str, ...] = ()


def folded(text: str) -> str:
    """Lower case without accents; letters that have no plain form stay."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)
    return "".join(character for character in plain if not unicodedata.combining(character))


def words_in(text: str) -> list[str]:
    """The words of a text, folded, in order; what is no letter or digit separates them, and a name from its number.

    `garcia82` are two words, so that everybody's own number does not make a word of its own of every name.
    """
    words: list[str] = []
    for word in _WORD.findall(folded(text)):
        if word[-1].isdigit() and (numbered := _NUMBERED.fullmatch(word)):
            words += numbered.groups()
        else:
            words.append(word)
    return [word[:WORD_CHARACTERS_MAX] for word in words]


def terms_of(entry: Entry) -> frozenset[str]:
    """Every term under which the index finds an entry: words of value and names, its number and its number reversed."""
    terms = set()
    for name in entry.names:
        terms.update(words_in(name))
    if entry.value:
        terms.update(value_words(entry.value))
        for number in numbers_of(entry.value):
            terms.add(number)
            terms.add(REVERSED + number[::-1])
    return frozenset(terms)


def value_words(value: str) -> list[str]:
    """Words of an identifier's value; of an address, the first word of its domain is marked (`@gmail`).

    So a quarter of all people do not share a plain word, and the rest of the domain says nothing.
    """
    local, at, domain = value.rpartition("@")
    if not at:
        return words_in(value)
    return [*words_in(local), *(AT + word for word in words_in(domain)[:1])]


def numbers_of(value: str) -> tuple[str, ...]:
    """The digits of a value that is mostly digits; of a phone with and without its country's code."""
    if "@" in value:
        return ()
    digits = "".join(_DIGITS.findall(value))[:WORD_CHARACTERS_MAX]
    if len(digits) < NUMBER_DIGITS_MIN or 2 * len(digits) < len(value):
        return ()
    if value.startswith("+"):
        return (digits, national(digits))
    return (digits,)


def national(digits: str) -> str:
    """An international number without its country's code; the codes are prefix-free."""
    for size in (1, 2, 3):
        if digits[:size] in _CALLING_CODES:
            return digits[size:]
    return digits


class Asked(msgspec.Struct, frozen=True):
    """A query, read: its words in order, and its digits when it looks like a number.

    `ended`: nothing is missing at the end of the last word.
    """

    text: str
    words: tuple[str, ...]
    number: str = ""
    ended: bool = False


def asked(text: str) -> Asked:
    """What a query asks for. A number may be written with blanks, dashes, dots, brackets, `+` or `00`."""
    text = text.strip()[:TEXT_CHARACTERS_MAX]
    digits = "".join(_DIGITS.findall(text))[:WORD_CHARACTERS_MAX]
    if len(digits) >= NUMBER_DIGITS_MIN and not any(character.isalpha() for character in text):
        abroad = text.startswith("+") or (text.startswith("00") and len(digits) >= ABROAD_DIGITS_MIN)
        own = national(digits.removeprefix("00")) if abroad else digits
        return Asked(text, (), own if len(own) >= NUMBER_DIGITS_MIN else digits)
    words = value_words(text)
    return Asked(text, tuple(dict.fromkeys(words))[:WORDS_MAX], ended="." in text.rpartition("@")[2] and "@" in text)


# ── Typing errors ─────────────────────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=16_384)
def sound(word: str) -> str:
    """What a folded word sounds like to a Spanish ear: `gimenez`, `jimenes` and `ximenez` differ little or not."""
    for pattern, heard in _SOUNDS:
        word = pattern.sub(heard, word)
    return word


def is_typed(word: str) -> bool:
    """Whether a word may be mistyped: letters, and few digits; ids and long numbers are copied, not spelt."""
    digits = len(_DIGITS.findall(word))
    return len(word) - digits >= SOUNDING_CHARACTERS_MIN and digits <= 4


def near_keys(word: str) -> set[int]:
    """Keys that two words share when they, or their sounds, differ by at most one character in the beginning.

    The beginning itself and with any one character left out (Garbe's symmetric delete), as 32-bit numbers.
    """
    keys = set()
    for start in {word[:SOUND_CHARACTERS], sound(word)[:SOUND_CHARACTERS]}:
        keys.add(crc32(start.encode()))
        keys.update(crc32((start[:index] + start[index + 1 :]).encode()) for index in range(len(start)))
    return keys


def distance(one: str, other: str, most: int) -> int:
    """Insertions, deletions, changes and swaps of neighbours between two words; `most` + 1 when there are more.

    Optimal string alignment, by Damerau (1964); what both begin and end with is left out first.
    """
    while one and other and one[0] == other[0]:
        one, other = one[1:], other[1:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    if not one or not other or abs(len(one) - len(other)) > most:
        return min(max(len(one), len(other)), most + 1)
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, mine in enumerate(one, start=1):
        last, before, row = before, row, [i]
        for j, theirs in enumerate(other, start=1):
            cost = min(row[j - 1] + 1, before[j] + 1, before[j - 1] + (mine != theirs))
            if i > 1 and j > 1 and mine == other[j - 2] and one[i - 2] == theirs:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def errors_allowed(word: str) -> int:
    """How many typing errors a word may have: none in three characters, one in seven, two beyond."""
    return 0 if len(word) <= 3 else 1 if len(word) <= 7 else 2


def begun(asked_word: str, word: str) -> float:
    """1 when a word is what was asked for, from 0.8 when it only begins so, else 0."""
    if not word.startswith(asked_word):
        return 0.0
    return 1.0 if word == asked_word else 0.8 + 0.15 * len(asked_word) / len(word)


def similarity(asked_word: str, word: str) -> float:
    """How well a word fits that was meant and misspelt: below 0.75, 0 when it has too many errors.

    What sounds the same is one error, however it is written.
    """
    allowed = errors_allowed(asked_word)
    errors = min(distance(asked_word, word, allowed), max(1, distance(sound(asked_word), sound(word), allowed)))
    return 0.0 if errors > allowed else 0.75 * (1 - errors / max(len(asked_word), len(word)))


def number_similarity(number: str, other: str) -> float:
    """The same for digits: a beginning or an end fits, and one wrong digit in eight or more."""
    if number == other:
        return 1.0
    if other.startswith(number) or other.endswith(number):
        return 0.8 + 0.15 * len(number) / len(other)
    if len(number) >= WRONG_DIGIT_DIGITS_MIN and distance(number, other, 1) <= 1:
        return 0.7
    return 0.0


# ── Order ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

EXACT, BEGINNING, SIMILAR = "exact", "beginning", "similar"
"""Why somebody was found: the whole value was given; every word equals or begins one of theirs; or nearly so."""


class Fit(msgspec.Struct, frozen=True):
    """How well one entry fits a query: its score by word of the query, the text that fits best, and how near."""

    words: tuple[float, ...]
    kind: str
    text: str
    closeness: float

    @property
    def score(self) -> float:
        """The mean over the query's words, with a little for words that stand together and in order."""
        return sum(self.words) / len(self.words) + 0.05 * self.closeness


def fit(query: Asked, entry: Entry, meant: Sequence[Mapping[str, float]]) -> Fit:
    """How an entry fits a query; the matched text is the name or the value that fits more of it.

    `meant` says per word of the query which misspelt words it may be, and how well they fit.
    """
    if query.number:
        scores = [number_similarity(query.number, number) for number in numbers_of(entry.value)]
        return Fit((max(scores, default=0.0),), entry.kind, entry.value, 0.0)
    totals = (0.0,) * len(query.words)
    best = Fit(totals, entry.kind, entry.value, 0.0)
    for kind, text, words in _texts(entry):
        fits = tuple(
            max((begun(asked_word, word) or maybe.get(word, 0.0) for word in words), default=0.0)
            for asked_word, maybe in zip(query.words, meant, strict=True)
        )
        totals = tuple(map(max, totals, fits))
        found = Fit(fits, kind, text, _closeness(query.words, words))
        if found.score > best.score:
            best = found
    return Fit(totals, best.kind, best.text, best.closeness)


def together(fits: list[Fit]) -> Fit:
    """How a person fits, known by several entries: every word of the query counts where it fits best."""
    best = max(fits, key=lambda one: (one.score, one.kind == "name"))
    words = tuple(max(scores) for scores in zip(*(one.words for one in fits), strict=True))
    return Fit(words, best.kind, best.text, best.closeness)


def why(found: Fit) -> str:
    """What the scores of a fit mean in one word."""
    return BEGINNING if min(found.words) >= 0.8 else SIMILAR


def _texts(entry: Entry) -> Iterator[tuple[str, str, list[str]]]:
    for name in entry.names:
        yield "name", name, words_in(name)
    if entry.value:
        yield entry.kind, entry.value, value_words(entry.value)


def _closeness(asked_words: tuple[str, ...], words: list[str]) -> float:
    """1 when the words are just those asked for, in order; less the more there are besides; half when out of order."""
    places = [index for index, word in enumerate(words) if any(word.startswith(one) for one in asked_words)]
    if not places or not words:
        return 0.0
    in_order = " ".join(asked_words) in " ".join(words)
    return len(places) / len(words) * (1.0 if in_order else 0.5)


def names_from(told: Sequence[Mapping[str, list[str]]]) -> tuple[str, ...]:
    """The names in what the sources of one identifier told: per source a whole name, then every other word, once.

    `told` has a mapping per source: trait → values, the latest first.
    """
    names: dict[str, None] = {}
    for traits in told:
        parts = [traits[trait][0] for trait in NAME_TRAITS if trait not in WHOLE_NAMES and traits.get(trait)]
        if parts:
            names[" ".join(parts)] = None
        for trait in NAME_TRAITS:
            if trait in WHOLE_NAMES:
                names.update(dict.fromkeys(traits.get(trait, ())[:1]))
    for traits in told:
        for trait in NAME_TRAITS:
            for value in traits.get(trait, ())[1:]:
                names[value] = None
    kept = (" ".join(name.split())[:TEXT_CHARACTERS_MAX] for name in names)
    return tuple(dict.fromkeys(name for name in kept if name))[:WORDS_MAX]
