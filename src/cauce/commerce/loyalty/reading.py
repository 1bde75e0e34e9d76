"""Reads what people write, strictly: every fault names its place in the document, all of them at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml

from cauce.errors import DefinitionInvalid
from cauce.registry import nearest

CODE = re.compile(r"[a-z][a-z0-9_-]{0,63}\Z")
TEXT_CHARACTERS_MAX = 2_000
DOCUMENT_CHARACTERS_MAX = 200_000
LIST_MAX = 1_000


class _Loader(yaml.SafeLoader):
    """Reads dates as the text that stands there, as JSON does."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own class attribute)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def document_of(document: Any) -> Any:
    """The value of YAML or JSON text; what is no text is given back. DefinitionInvalid with the line of the fault."""
    if not isinstance(document, str | bytes):
        return document
    if len(document) > DOCUMENT_CHARACTERS_MAX:
        raise DefinitionInvalid(f"expected at most {DOCUMENT_CHARACTERS_MAX} characters, got {len(document)}")
    try:
        for token in yaml.scan(document, _Loader):
            if isinstance(token, yaml.AnchorToken | yaml.AliasToken):  # a small text with many can mean a huge document
                line = token.start_mark.line + 1
                raise DefinitionInvalid(f"line {line}: anchors and aliases cannot be used here")
        return yaml.load(document, _Loader)  # noqa: S506 (a safe loader)
    except yaml.MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else 1
        raise DefinitionInvalid(f"line {line}: expected YAML or JSON: {fault.problem or fault.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        raise DefinitionInvalid(f"expected YAML or JSON, got text that is neither: {fault}") from None


class Reading:
    """One mapping of a document at `path`; `faults` is shared by all of them. What is wrong gives its default."""

    def __init__(self, value: Any, path: str, faults: list[str], known: Sequence[str]) -> None:
        self.path = path
        self.faults = faults
        self.value: Mapping[str, Any] = {}
        if not isinstance(value, Mapping):
            self.wrong("", f"expected a mapping of {', '.join(known)}, got {_shown(value)}")
            return
        self.value = value
        for key in value:
            if key not in known:
                self.wrong(str(key)[:80], f"there is no such field. {nearest(str(key)[:80], list(known))}")

    def at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path and key else self.path or key

    def wrong(self, key: str, message: str) -> None:
        self.faults.append(f"{self.at(key) or 'the programme'}: {message}")

    def has(self, key: str) -> bool:
        return self.value.get(key) is not None

    def text(self, key: str, default: str | None = "") -> str:
        """A text; it must be there when `default` is None."""
        value = self.value.get(key, default)
        if isinstance(value, str) and (value.strip() or default is not None) and len(value) <= TEXT_CHARACTERS_MAX:
            return value.strip()
        self.wrong(key, f"expected a text of 1–{TEXT_CHARACTERS_MAX} characters, got {_shown(value)}")
        return default or ""

    def code(self, key: str) -> str:
        value = self.value.get(key)
        if isinstance(value, str) and CODE.match(value):
            return value
        self.wrong(key, f"expected a code of small letters, digits, _ and -, at most 64, got {_shown(value)}")
        return ""

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        value = self.value.get(key, default)
        if isinstance(value, str) and value in choices:
            return value
        hint = f" {nearest(value, list(choices))}" if isinstance(value, str) else ""
        self.wrong(key, f"expected one of {', '.join(choices)}, got {_shown(value)}.{hint}".rstrip("."))
        return default

    def whole(self, key: str, least: int, most: int, default: int | None = None) -> int:
        value = self.value.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and (least <= value <= most or value == default):
            return value
        self.wrong(key, f"expected a whole number from {least} to {most}, got {_shown(value)}")
        return default or least

    def decimal(self, key: str, places: int, least: str, most: str, default: int | None = None) -> int:
        """A decimal number as a whole number of its last place: 1.50 with 2 places is 150."""
        value = self.value.get(key)
        if value is None and default is not None:
            return default
        try:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise InvalidOperation
            number = Decimal(str(value))
            scaled = number.scaleb(places)
            if Decimal(least) <= number <= Decimal(most) and scaled == scaled.to_integral_value():
                return int(scaled)
        except (InvalidOperation, ValueError):
            pass
        self.wrong(key, f"expected a number from {least} to {most} with at most {places} decimals, got {_shown(value)}")
        return default or 1

    def day(self, key: str) -> str:
        """An ISO date, "" when there is none."""
        value = self.value.get(key)
        if value is None:
            return ""
        try:
            if isinstance(value, str) and len(value) == len("2026-11-21"):
                return date.fromisoformat(value).isoformat()
        except ValueError:
            pass
        self.wrong(key, f"expected a date such as 2026-11-21, got {_shown(value)}")
        return ""

    def yes(self, key: str, default: bool) -> bool:
        value = self.value.get(key, default)
        if isinstance(value, bool):
            return value
        self.wrong(key, f"expected true or false, got {_shown(value)}")
        return default

    def texts(self, key: str, choices: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of texts, or one text."""
        value = self.value.get(key, ())
        several = [value] if isinstance(value, str) else value
        if not isinstance(several, Sequence) or not all(isinstance(each, str) and each.strip() for each in several):
            self.wrong(key, f"expected a list of texts, got {_shown(value)}")
            return ()
        if len(several) > LIST_MAX:
            self.wrong(key, f"expected at most {LIST_MAX} texts, got {len(several)}")
            return ()
        for index, each in enumerate(several):
            if choices and each not in choices:
                self.wrong(f"{key}[{index}]", f"expected one of {', '.join(choices)}, got {_shown(each)}")
        return tuple(each.strip() for each in several)

    def parts(self, key: str, known: Sequence[str], most: int) -> list[Reading]:
        """The mappings of a list."""
        value = self.value.get(key)
        if value is None:
            return []
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            self.wrong(key, f"expected a list, got {_shown(value)}")
            return []
        if len(value) > most:
            self.wrong(key, f"expected at most {most} entries, got {len(value)}")
        return [
            Reading(each, self.at(f"{key}[{index}]"), self.faults, known) for index, each in enumerate(value[:most])
        ]

    def part(self, key: str, known: Sequence[str]) -> Reading:
        """The mapping under a key; an empty one when there is none."""
        return Reading(self.value.get(key) or {}, self.at(key), self.faults, known)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
