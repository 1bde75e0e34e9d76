"""The reference page says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from cauce.profiles.definitions import (
    COMPUTES,
    OPERATORS,
    RULES,
    Definition,
    default_definitions,
    read_definitions,
    read_survivorship,
)

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/computed-traits.md").read_text(encoding="utf-8")


def test_examples_are_valid() -> None:
    traits, survivorship = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    assert len(read_definitions(traits)) == 3
    assert set(read_survivorship(survivorship).traits) == {"email", "first_name", "city"}


def test_everything_has_its_entry() -> None:
    for word in (*COMPUTES, *OPERATORS, *RULES, *Definition.__struct_fields__):
        assert f"`{word}`" in PAGE, word


def test_packaged_traits_are_listed_with_their_descriptions() -> None:
    for each in default_definitions():
        assert f"| `{each.name}` | {each.description} |" in PAGE
