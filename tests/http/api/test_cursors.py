"""Cursors lead back to their place, for their question only, and nobody else can write one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.errors import Unreadable
from cauce.http.api.cursors import Cursors

PLACES = st.tuples(st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(max_size=50)))
CURSORS = Cursors(b"secret of an installation")


@given(st.text(), PLACES)
def test_a_cursor_leads_to_its_place(question, place):
    assert CURSORS.read(question, CURSORS.write(question, place)) == place


@given(st.text(), st.text(), PLACES)
def test_a_cursor_of_another_question_or_installation_is_refused(question, other, place):
    cursor = CURSORS.write(question, place)
    if other != question:
        with pytest.raises(Unreadable):
            CURSORS.read(other, cursor)
    with pytest.raises(Unreadable):
        Cursors(b"secret of another").read(question, cursor)


@given(PLACES, st.data())
def test_a_changed_cursor_is_refused(place, data):
    cursor = CURSORS.write("q", place)
    at = data.draw(st.integers(0, len(cursor) - 2))  # the last character has bits that mean nothing
    character = data.draw(st.characters(codec="utf-8").filter(lambda each: each != cursor[at]))
    with pytest.raises(Unreadable):
        CURSORS.read("q", cursor[:at] + character + cursor[at + 1 :])


@given(st.text(min_size=1))
def test_whatever_is_no_cursor_is_refused(text):
    with pytest.raises(Unreadable):
        CURSORS.read("q", text)


def test_the_beginning_and_the_end_need_no_cursor():
    assert CURSORS.write("q", ()) == ""
    assert CURSORS.read("q", "") == ()
