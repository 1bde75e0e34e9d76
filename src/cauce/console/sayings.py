"""What the rest of Cauce says, in the language of who reads it: errors with their hints, faults, reasons.

Below the console nobody knows of languages: an error is an English sentence with its values filled in. The catalogues
hold the sentences as they stand in the sources, `expected limit to be 1–%(most)s, got %(limit)s`; here a sentence is
led back to the one it was made from, and said again with the same values. What no catalogue knows (the words of a
database, of a YAML reader) stays as it was said, also inside a sentence that is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

CONTEXT = "said"
"""The context in the catalogues of what others say."""
CHARACTERS_MAX = 4_000
"""Longer texts stay as they are: they quote somebody."""
DEPTH_MAX = 4
"""How deeply a value is looked at that is itself a sentence."""
PARTS_MAX = 40
_FILLED = re.compile(r"%\((\w+)\)s")

FOREIGN = (
    # msgspec
    "Expected `%(expected)s`, got `%(got)s`",
    "Expected `%(expected)s`, got `%(got)s` - at `%(place)s`",
    "Object missing required field `%(field)s`",
    "Object missing required field `%(field)s` - at `%(place)s`",
    "JSON is malformed: %(why)s",
    "JSON is malformed: %(why)s (byte %(byte)s)",
    "Input data was truncated",
    "invalid character",
    "invalid escape character in string",
    "expected ',' or ']'",
    "expected ',' or '}'",
    "expected ':'",
    "trailing comma in array",
    "trailing comma in object",
    "trailing characters",
    "object keys must be strings",
    "invalid number",
    # YAML
    "mapping values are not allowed here",
    "could not find expected ':'",
    "found unexpected end of stream",
    "found character '%(character)s' that cannot start any token",
    "expected <block end>, but found '%(found)s'",
    "expected ',' or ']', but got '%(got)s'",
    "expected ',' or '}', but got '%(got)s'",
    "expected the node content, but found '%(found)s'",
    "did not find expected <document start>",
    # kinds of values in Python
    "str",
    "int",
    "float",
    "bool",
    "list",
    "dict",
    "NoneType",
)
"""What libraries say through us, and often."""


class Saying:
    """A sentence with places to fill in, and how it is said in another language."""

    def __init__(self, text: str, translation: str) -> None:
        self.names = _FILLED.findall(text)
        self.literals = [part.replace("%%", "%") for part in _FILLED.split(text)[::2]]
        self.translation = translation
        self.weight = sum(map(len, self.literals))

    def values(self, said: str) -> dict[str, str] | None:
        """What was filled in, when `said` was made from this; in linear time, whatever it holds."""
        first, *middle = self.literals
        if not middle:
            return {} if said == first else None
        *middle, last = middle
        at, end = len(first), len(said) - len(last)
        if end < at or not said.startswith(first) or not said.endswith(last):
            return None
        found = []
        for literal in middle:
            place = said.find(literal, at, end)
            if place < 0:
                return None
            found.append(said[at:place])
            at = place + len(literal)
        return dict(zip(self.names, [*found, said[at:end]], strict=True))


class Sayings:
    """All that others say, in one language. Any thread may ask."""

    def __init__(self, texts: Sequence[tuple[str, str]]) -> None:
        found = [Saying(text, translation) for text, translation in texts]
        # The sentence with most of its own words is the one that was meant.
        self._sayings = sorted(found, key=lambda saying: saying.weight, reverse=True)
        self.translated = lru_cache(maxsize=1_024)(self._translated)

    def _translated(self, said: str) -> str:
        """The text in this language; as it is when nobody knows it."""
        if not self._sayings or not said.strip() or len(said) > CHARACTERS_MAX:
            return said
        found = self._said(said, 0)
        return said if found is None else found

    def _said(self, said: str, depth: int) -> str | None:
        if depth > DEPTH_MAX:
            return None
        return self._row(said, ("; ", ". ")) if depth == 0 else self._one(said, depth)

    def _row(self, said: str, marks: Sequence[str]) -> str | None:
        """Several sentences in a row, each known; one that holds the mark between them itself is put together again."""
        if not marks:
            return self._one(said, 0)
        mark, *others = marks
        parts = said.split(mark)
        if len(parts) > PARTS_MAX:
            return None
        found = []
        at = 0
        while at < len(parts):
            for end in range(at + 1, len(parts) + 1):
                one = self._row(mark.join(parts[at:end]), others)
                if one is not None:
                    break
            else:
                return None
            found.append(one)
            at = end
        return mark.join(found)

    def _one(self, said: str, depth: int) -> str | None:
        for saying in self._sayings:
            values = saying.values(said)
            if values is not None:
                inside = {name: self._said(value, depth + 1) or value for name, value in values.items()}
                return _filled(saying.translation, inside)
        return None


def _filled(translation: str, values: dict[str, str]) -> str:
    return "".join(_pieces(translation, values))


def _pieces(translation: str, values: dict[str, str]) -> Iterator[str]:
    for number, part in enumerate(_FILLED.split(translation)):
        yield values[part] if number % 2 else part.replace("%%", "%")
