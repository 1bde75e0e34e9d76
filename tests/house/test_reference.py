"""Everything that a person can set, call or meet as an error has its entry in `docs/reference/`."""

from __future__ import annotations

import ast
import re

import pytest

from cauce.quality.codes import REASONS
from tests.house.pages import PAGES, READING_REASONS, commands, error_classes
from tests.house.tree import ROOT, modules, name, parsed


@pytest.mark.parametrize("file", PAGES)
def test_page_is_what_the_code_says(file):
    path = ROOT / "docs/reference" / file
    assert path.exists(), f"{name(path)} is missing; `make docs` writes it"
    assert path.read_text(encoding="utf-8") == PAGES[file](), f"{name(path)} is old; `make docs` writes it anew"


def test_every_command_says_what_it_does():
    silent = [path for path, command in commands() if not (command.help or "").strip()]
    assert not silent


def test_every_option_says_what_it_does():
    silent = [
        f"{path} {option.opts[-1]}"
        for path, command in commands()
        for option in command.params
        if option.param_type_name == "option" and not getattr(option, "help", None)
    ]
    assert not silent


def test_error_codes_are_unique_and_explained():
    codes = [error.code for error in error_classes()]
    assert sorted(codes) == sorted(set(codes))
    page = PAGES["errors.md"]()
    unexplained = [
        code for code in codes if f"| `{code}` |" not in page or page.split(f"| `{code}` |")[1].split("|")[1].isspace()
    ]
    assert not unexplained


GIVING = {"Reason", "Call", "Fault", "Broken"}
"""Calls that carry the code of a reason, as the first text among their arguments that looks like one."""


def reason_codes():
    """Codes of reasons why data is refused, as the source writes them: `Reason("code", …)`."""
    for path in modules("src"):
        if not any(f"{word}(" in path.read_text(encoding="utf-8") for word in GIVING):
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in GIVING:
                words = [*node.args[:2], *(word.value for word in node.keywords if word.arg == "code")]
                texts = [word.value for word in words if isinstance(word, ast.Constant) and isinstance(word.value, str)]
                yield from [text for text in texts if re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", text)][:1]


def test_every_reason_code_is_documented():
    found = set(reason_codes())
    assert found, "no reason code was found in the source: this test looks for the wrong thing"
    assert found <= set(READING_REASONS) | set(REASONS), "describe it in quality.codes or tests.house.pages"
    assert set(READING_REASONS) <= found, "nothing gives this code any more"
    assert not set(READING_REASONS) & set(REASONS), "one code, one meaning"
