"""The frame around all pages."""

from __future__ import annotations


def test_first(seat):
    assert "Overview" in seat.client().page("/")


def test_empty(empty_seat):
    assert "Overview" in empty_seat.client().page("/")
