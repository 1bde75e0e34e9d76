"""What is kept of requests with an `Idempotency-Key`, and for how long."""

from __future__ import annotations

import pytest

from cauce.errors import Busy, Conflict, Unreadable
from cauce.http.api import repetition
from cauce.http.api.repetition import KEPT_SECONDS, Repetition


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_an_answer_is_given_again_for_a_day():
    clock = Clock()
    kept = Repetition(clock=clock)
    assert kept.begin("ana", "k", b"1") is None
    with pytest.raises(Busy):
        kept.begin("ana", "k", b"1")
    kept.end("ana", "k", "answer", 6)
    assert kept.begin("ana", "k", b"1") == "answer"
    with pytest.raises(Conflict):
        kept.begin("ana", "k", b"2")
    assert kept.begin("eva", "k", b"2") is None
    clock.now = KEPT_SECONDS
    assert kept.begin("ana", "k", b"2") is None


def test_what_failed_is_forgotten():
    kept = Repetition()
    kept.begin("ana", "k", b"1")
    kept.give_up("ana", "k")
    assert kept.begin("ana", "k", b"2") is None


@pytest.mark.parametrize(("name", "most"), [("KEPT_MAX", 3), ("KEPT_BYTES_MAX", 30)])
def test_it_keeps_no_more_than_it_may(monkeypatch, name, most):
    monkeypatch.setattr(repetition, name, most)
    kept = Repetition()
    for number in range(10):
        kept.begin("ana", f"k{number}", b"1")
        kept.end("ana", f"k{number}", number, 10)
    assert kept.begin("ana", "k9", b"1") == 9
    assert kept.begin("ana", "k0", b"1") is None


@pytest.mark.parametrize("key", ["x" * 256, "a\tb", "\x7f"])
def test_a_key_is_short_and_printable(key):
    with pytest.raises(Unreadable):
        Repetition().begin("ana", key, b"1")
