"""Every text of the console is in every language, and no text stands where no catalogue knows of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from jinja2 import Environment

from cauce.console.catalogues import catalogues
from tests.console.texts import CONSOLE, is_done, languages, said, translated

FILLED = re.compile(r"%\((\w+)\)s")
SPOKEN = {"title", "alt", "placeholder", "aria-label", "aria-description", "label", "data-tip"}
"""Attributes that people read or hear."""
NAMES = {"Cauce", "Español", "English"}
"""What is called so in every language."""
WORD = re.compile(r"[^\W\d_]{2,}")
EXAMPLE = re.compile(r"\S*[:/@_]\S*")
"""An identifier, an address, a place in an event: the same in every language."""


def forms_of(message):
    return message.string if isinstance(message.string, tuple | list) else (message.string,)


def test_there_is_another_language():
    assert "es" in languages()
    assert set(catalogues()) == {"en", *languages()}


@pytest.mark.parametrize("language", languages())
def test_everything_is_translated_and_nothing_is_stale(language):
    of_areas = translated(language)
    for area, present in said().items():
        known = of_areas.get(area, {})
        assert known.keys() == present.keys(), f"write it with: python -m tests.console.texts {area}"
        untranslated = [key[1] for key, message in known.items() if not is_done(message)]
        assert not untranslated, f"{language}/{area}.po: {untranslated}"


@pytest.mark.parametrize("language", languages())
def test_every_catalogue_is_that_of_an_area(language):
    assert translated(language).keys() == said().keys()


@pytest.mark.parametrize("language", languages())
def test_a_translation_fills_in_what_its_text_fills_in(language):
    for message in [message for texts in translated(language).values() for message in texts.values()]:
        if not is_done(message):
            continue  # another test says so
        ids = message.id if isinstance(message.id, tuple | list) else (message.id,)
        wanted = {name for text in ids for name in FILLED.findall(text)}
        for form in forms_of(message):
            assert set(FILLED.findall(form)) <= wanted, f"{form!r} of {ids!r}"
        # The plural says its number; a form for one thing may do without it.
        assert set(FILLED.findall(forms_of(message)[-1])) == set(FILLED.findall(ids[-1])), ids
        assert ids[0].count("`") == forms_of(message)[0].count("`"), ids


@pytest.mark.parametrize("language", languages())
def test_no_text_is_said_in_two_ways(language):
    seen = {}
    for area, texts in translated(language).items():
        for key, message in texts.items():
            if not is_done(message):
                continue
            before = seen.setdefault(key, (area, forms_of(message)))
            assert tuple(before[1]) == tuple(forms_of(message)), f"{key[1]!r} in {before[0]} and {area}"


class Spoken(HTMLParser):
    """Gathers what people read of a piece of HTML."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name in SPOKEN and value]

    def handle_data(self, data):
        self.found.append(data)


def _gap(before):
    """What stands for something that a template puts in: a blank between the attributes of a tag, else a mark."""
    start = before.rfind("<")
    in_tag = start > before.rfind(">")
    return " " if in_tag and before.count('"', start) % 2 == 0 else "\x00"


def bare_texts(source):
    """Words of a template that are neither code nor said through a catalogue."""
    lexed = list(Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"]).lex(source))
    pieces, translating = [], False
    for at, (_, kind, value) in enumerate(lexed):
        if kind == "block_begin":
            name = next(text for _, other, text in lexed[at + 1 :] if other == "name")
            translating = name == "trans" or (translating and name != "endtrans")
        if kind == "data":
            pieces.append("" if translating else value)
        elif kind in ("variable_begin", "block_begin"):
            pieces.append(_gap("".join(pieces)))
    reader = Spoken()
    reader.feed("".join(pieces))
    outside = [piece for text in reader.found for piece in text.split("\x00")]
    words = [piece.strip(" \n·,–()") for piece in outside if WORD.search(piece)]
    return [word for word in words if word not in NAMES and not EXAMPLE.fullmatch(word)]


def test_bare_texts_are_found():
    assert bare_texts('<p title="Hello">{{ _("Good") }} <b>day</b>{% if x %}there{% endif %}</p>') == [
        "Hello", "day", "there",
    ]  # fmt: skip
    assert not bare_texts('<p class="soft">{% trans %}Good day{% endtrans %} {{ _("x") }} – 12</p>')


@pytest.mark.parametrize("path", sorted(CONSOLE.rglob("*.html")), ids=lambda path: path.relative_to(CONSOLE).as_posix())
def test_no_template_says_a_word_by_itself(path):
    assert not bare_texts(path.read_text(encoding="utf-8"))
