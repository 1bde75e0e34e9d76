"""Templates are compiled once for each release, and pages do without what was kept."""

from __future__ import annotations

import shutil

import pytest

from cauce.console import rendering


@pytest.fixture
def fresh(monkeypatch):
    """Templates as a process that has just started has them."""

    def start():
        rendering.templates.cache_clear()
        rendering._sayings.cache_clear()
        return rendering.templates()

    yield start
    start()


def shown():
    return rendering.templates().get_template("parts.html").make_module({"_": str}).__dict__.keys()


def test_what_was_compiled_is_not_compiled_again(fresh, tmp_path, monkeypatch):
    folder = tmp_path / "templates"
    fresh()
    rendering.keep_compiled(folder)
    first = shown()
    (kept,) = folder.iterdir()
    environment = fresh()
    rendering.keep_compiled(folder)
    monkeypatch.setattr(environment, "compile", lambda *_: pytest.fail("compiled again"))
    assert shown() == first
    assert list(folder.iterdir()) == [kept]


def test_what_another_release_kept_is_thrown_away(fresh, tmp_path):
    folder = tmp_path / "templates"
    fresh()
    rendering.keep_compiled(folder)
    shown()
    (kept,) = folder.iterdir()
    other = kept.rename(kept.with_name(f"{kept.name.partition('-')[0]}-0.0.1-3.0.compiled"))
    fresh()
    rendering.keep_compiled(folder)
    assert not other.exists()


def test_pages_are_shown_where_nothing_can_be_kept(fresh, tmp_path):
    folder = tmp_path / "templates"
    fresh()
    rendering.keep_compiled(folder)
    shutil.rmtree(folder)
    assert shown()
    (tmp_path / "file").write_text("")
    fresh()
    rendering.keep_compiled(tmp_path / "file" / "templates")
    assert shown()
