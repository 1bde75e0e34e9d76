"""The vocabulary as a page: every event of the starter contracts with its properties, written from the contracts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from cauce.quality.contract import Contract
from cauce.quality.starter import starter_sets

WRITTEN = "<!-- Written by `make docs` from the code. Do not edit. -->"
_HEAD = f"""# Events

{WRITTEN}

The vocabulary that Cauce understands without being told: names, properties, types and units.
Each entry is a starter contract; an event that breaks it waits in quarantine with its reasons.
Events of other names are stored as well, unless you say `unknown: quarantine`.
Send them as `track` calls of any SDK, with the name as `event`.
Properties that are not listed here are stored too.
Unless an entry says otherwise, an event needs at least one identifier, such as `userId` or `anonymousId`.
"""
_SENTENCE = re.compile(r"(?<=[.!?]) (?=[A-Z])")


def events_page() -> str:
    """The page `docs/reference/events.md`."""
    sets = starter_sets()
    parts = [_HEAD]
    for title, description, contracts in sets:
        parts += [f"## {title}\n", f"{description}\n"]
        parts += [_entry(contract) for contract in contracts]
    return "\n".join(parts)


def _entry(contract: Contract) -> str:
    lines = [f"### {contract.event}", "", *_SENTENCE.split(contract.description)]
    if not contract.identifiers:
        lines.append("Identifiers: none needed.")
    elif contract.identifiers != ("*",):
        lines.append(f"Identifiers: one of {', '.join(contract.identifiers)}.")
    lines += ["", "| property | type | required | what it is |", "|---|---|---|---|"]
    schema = contract.properties or {}
    lines += list(_rows(schema, ""))
    for alternatives in _alternatives(schema):
        lines += ["", f"At least one of {alternatives} is required."]
    example = json.dumps(contract.example, indent=2, ensure_ascii=False)
    return "\n".join([*lines, "", "```json", example, "```", ""])


def _rows(schema: dict[str, Any], prefix: str) -> Iterator[str]:
    for name, member in schema.get("properties", {}).items():
        required = "yes" if name in schema.get("required", ()) else ""
        yield f"| `{prefix}{name}` | {_type(member)} | {required} | {_meaning(member)} |"
        items = member.get("items")
        if isinstance(items, dict):
            yield from _rows(items, f"{prefix}{name}[].")


def _type(schema: dict[str, Any]) -> str:
    words = {"string": "text", "array": "list", "boolean": "true or false"}
    types: Any = schema.get("type", "any")
    return " or ".join(words.get(str(word), str(word)) for word in (types if isinstance(types, list) else [types]))


def _meaning(schema: dict[str, Any]) -> str:
    text = str(schema.get("description", ""))
    unit, currency, form = (schema.get(keyword) for keyword in ("x-unit", "x-currency", "x-format"))
    if currency is True:
        text += " ISO 4217 code."
    elif currency:
        text += f" In `{currency}`."
    if unit is True:
        text += " UCUM unit or UN/CEFACT code."
    elif unit and unit != "1":
        text += f" Unit: {unit}."
    if form == "gtin":
        text += " The check digit is checked."
    return text.replace("|", "\\|")


def _alternatives(schema: dict[str, Any]) -> Iterator[str]:
    for part in (schema, *(member.get("items", {}) for member in schema.get("properties", {}).values())):
        names = [name for choice in part.get("anyOf", ()) for name in choice.get("required", ())]
        if names:
            yield ", ".join(f"`{name}`" for name in names) + ("" if part is schema else " of each product")
