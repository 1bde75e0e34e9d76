"""Everything that the audit trail notes has words, so that nobody who reads it meets a code alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import cauce
from cauce.console.areas import identity, person_decisions
from cauce.console.areas.audit_words import ACTIONS, action_said, detail_said
from cauce.console.words import words_of
from cauce.http.api.table import OPERATIONS

ROOT = Path(cauce.__file__).parent
NOTING = {"note", "look", "_done"}


def noted():
    """Every action that the code notes by name, and where."""
    found = {operation.audit: operation.name for operation in OPERATIONS if operation.audit}
    found |= {action: verb for verb, (_, action, _) in identity.VERBS.items()}
    found |= {action: verb for verb, action in person_decisions.NOTES.items()}
    for path in ROOT.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if not any(f"{call}(" in text for call in NOTING):  # most modules note nothing, and reading them takes long
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or getattr(node.func, "attr", getattr(node.func, "id", "")) not in NOTING:
                continue
            for inner in (part for argument in node.args[:3] for part in _texts(argument)):
                area, dot, verb = inner.partition(".")
                if dot and area.isidentifier() and verb.isidentifier():
                    found[inner] = str(path)
    return found


def _texts(argument):
    """The texts that an argument may be: itself, or one of two."""
    if isinstance(argument, ast.IfExp):
        return [*_texts(argument.body), *_texts(argument.orelse)]
    return [argument.value] if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else []


def test_every_action_has_words():
    found = noted()
    assert {"session.started", "fact.mended", "sql.asked", "order.confirmed", "stock.receive"} <= found.keys()
    assert not {action: where for action, where in found.items() if action not in ACTIONS}


@pytest.mark.parametrize("language", ["en", "es"])
def test_words_are_of_the_language(language):
    words = words_of(language)
    assert (
        action_said(words, "fact.dropped")
        == {"en": "dropped what a till had told", "es": "descartó lo que dijo una caja"}[language]
    )
    assert action_said(words, "extension.did") == ""


def test_details_are_told_with_their_names():
    words = words_of("es")
    assert detail_said(words, "role", "privacy") == ("rol", "protección de datos")
    assert detail_said(words, "channel", "call_center") == ("canal", "Centro de llamadas")
    assert detail_said(words, "taken_back", True) == ("retirado", "sí")
    assert detail_said(words, "of_an_extension", 12) == ("of an extension", "12")
