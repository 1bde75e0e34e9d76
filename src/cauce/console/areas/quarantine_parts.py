"""What quarantine pages show and read: an event with its faults marked, what was expected, forms of changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.datastructures import QueryParams

from cauce.console.areas.quarantine_words import said_of
from cauce.console.catalogues import marked
from cauce.console.words import Words
from cauce.errors import DefinitionInvalid
from cauce.model import Reason
from cauce.quality.api import STATES, Entry, Which
from cauce.quality.mending import Mend, Step, read_mend, suggestion

LINES_MAX = 3_000
VALUE_CHARACTERS_MAX = 2_000
STEPS_SHOWN = 12
VALUE_SORTS = ("text", "number", "json")
DAYS_MAX = 100_000
_FILTERS = ("source", "reason", "path", "name", "state")

_KEYWORDS = {
    "anyOf": marked("one of the contract's alternatives"),
    "oneOf": marked("exactly one of the contract's alternatives"),
    "oneOfNotValid": marked("exactly one of the contract's alternatives"),
    "oneOfMultipleValid": marked("exactly one of the contract's alternatives"),
    "uniqueItems": marked("elements that differ"),
    "additionalProperties": marked("no other field"),
    "minimum": marked("at least %(bound)s"),
    "maximum": marked("at most %(bound)s"),
    "exclusiveMinimum": marked("more than %(bound)s"),
    "exclusiveMaximum": marked("less than %(bound)s"),
    "multipleOf": marked("a multiple of %(bound)s"),
    "minLength": marked("at least %(bound)s characters"),
    "maxLength": marked("at most %(bound)s characters"),
    "minItems": marked("at least %(bound)s elements"),
    "maxItems": marked("at most %(bound)s elements"),
    "pattern": marked("like %(bound)s"),
}
"""What the keywords of JSON Schema ask for."""


class Line(msgspec.Struct, frozen=True):
    """A line of an event as it is shown: `text` after `key`, and the numbers of the reasons that it breaks.

    A *missing* line is not in the event: a required field that is not there.
    """

    depth: int
    key: str
    text: str
    sort: str
    pointer: str
    faults: tuple[int, ...] = ()
    missing: bool = False


def in_words(text: str, words: Words) -> str:
    """What a reason expected or found, in the visitor's language as far as it has a fixed form."""
    keyword, _, bound = text.partition(" ")
    if keyword in _KEYWORDS:
        return words.say(_KEYWORDS[keyword], bound=bound)
    whole = words.said(text)
    parts = text.split(" or ")
    if whole != text or len(parts) < 2:
        return whole
    known = [words.said(part) for part in parts]
    are_known = all(said != part for said, part in zip(known, parts, strict=True))
    return words.say(marked(" or ")).join(known) if are_known else text


def told(reasons: Sequence[Reason], words: Words) -> list[dict[str, Any]]:
    """Reasons as a page shows them, with a change that would mend each."""
    found = []
    for number, reason in enumerate(reasons, start=1):
        said = said_of(reason.code)
        step = suggestion(reason)
        found.append(
            {
                "number": number,
                "code": reason.code,
                "path": reason.path,
                "name": words.say(said.name),
                "wrong": words.say(said.wrong),
                "mend": words.say(said.mend),
                "expected": in_words(reason.expected, words),
                "found": in_words(reason.found, words),
                "step": step,
            }
        )
    return found


def lines_of(document: Any, reasons: Sequence[Reason]) -> list[Line]:
    """A document as indented lines, each with the numbers of the reasons at its place; at most `LINES_MAX`."""
    faults = [(number, reason.path.split("/")[1:]) for number, reason in enumerate(reasons, start=1) if reason.path]
    found: list[Line] = []
    for line in _lines(document, faults, "", [], 0, last=True):
        if len(found) == LINES_MAX:
            found.append(Line(0, "", "…", "mark", ""))
            break
        found.append(line)
    return found


def _lines(
    value: Any, faults: list[tuple[int, list[str]]], key: str, steps: list[str], depth: int, *, last: bool
) -> Iterator[Line]:
    here = tuple(number for number, path in faults if _is_at(path, steps))
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    comma = "" if last else ","
    if not isinstance(value, dict | list):
        text = msgspec.json.encode(value).decode()
        if len(text) > VALUE_CHARACTERS_MAX:
            text = text[:VALUE_CHARACTERS_MAX] + "…"
        yield Line(depth, key, text + comma, _sort(value), pointer, here)
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    missing = sorted({
        (path[len(steps)], number) for number, path in faults
        if isinstance(value, dict) and len(path) == len(steps) + 1 and _is_at(path[:-1], steps)
        and path[-1] not in value and path[-1] != "*"
    })  # fmt: skip
    if not value and not missing:
        yield Line(depth, key, f"{opening}{closing}{comma}", "mark", pointer, here)
        return
    yield Line(depth, key, opening, "mark", pointer, here)
    inner = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for index, (name, member) in enumerate(inner):
        shown = msgspec.json.encode(str(name)).decode() + ": " if isinstance(value, dict) else ""
        yield from _lines(member, faults, shown, [*steps, str(name)], depth + 1, last=index == len(inner) - 1)
    for name, number in missing:
        shown = msgspec.json.encode(name).decode() + ": "
        yield Line(depth + 1, shown, "", "missing", f"{pointer}/{name}", (number,), missing=True)
    yield Line(depth, "", closing + comma, "mark", "")


def _is_at(path: Sequence[str], steps: Sequence[str]) -> bool:
    """Whether a reason's place is this one; `*` in it hides a name that could tell of a person."""
    if len(path) != len(steps):
        return False
    plain = (step.replace("~1", "/").replace("~0", "~") for step in path)
    return all(step in ("*", name) for step, name in zip(plain, steps, strict=True))


def _sort(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    return "word" if value is None or isinstance(value, bool) else "number"


def pretty(entry: Entry) -> str:
    """The item of an entry as text to edit; what was no JSON stays the text that it was."""
    document = entry.document()
    if isinstance(document, str):
        return document
    return msgspec.json.format(entry.raw.encode(), indent=2).decode()


def which_of(given: QueryParams) -> Which:
    """Which entries an address or a form means; entries that are open unless it says otherwise."""
    state = given.get("state", "open")
    if state != "any" and state not in STATES:
        raise DefinitionInvalid(f"expected state to be one of {', '.join(STATES)} or any, got {state!r}")
    return Which(
        source=given.get("source", "")[:200],
        reason=given.get("reason", "")[:100],
        path=given.get("path", "")[:300],
        name=given.get("name", "")[:300],
        state="" if state == "any" else state,
    )


def asked(which: Which, **more: Any) -> str:
    """A choice of entries as the query of an address."""
    given = {name: getattr(which, name) for name in _FILTERS if name != "state"}
    if which.state != "open":
        given["state"] = which.state or "any"
    return urlencode({name: value for name, value in {**given, **more}.items() if value})


def mend_of(form: QueryParams) -> Mend:
    """The changes that a form describes; DefinitionInvalid says what cannot be read."""
    steps = []
    rows = zip(form.getlist("do"), form.getlist("at"), form.getlist("value"), form.getlist("sort"), strict=False)
    for number, (do, at, value, sort) in enumerate(rows, start=1):
        if at.strip():
            given = _typed(value, sort, number) if do == "set" else value.strip()
            steps.append({"do": do, "at": at.strip(), "value": given})
    text = form.get("patch", "").strip()
    try:
        patch = msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, RecursionError) as fault:
        raise DefinitionInvalid(f"the merge patch is not JSON: {fault}") from None
    return read_mend(steps, patch)


def rows_of(form: QueryParams) -> list[dict[str, str]]:
    """The rows of the form as they were given, to show them again."""
    rows = zip(form.getlist("do"), form.getlist("at"), form.getlist("value"), form.getlist("sort"), strict=False)
    return [{"do": do, "at": at, "value": value, "sort": sort} for do, at, value, sort in rows][:STEPS_SHOWN]


def row_of(step: Step | None) -> dict[str, str]:
    """A row of the form with a change in it, or an empty one."""
    if step is None:
        return {"do": "set", "at": "", "value": "", "sort": "text"}
    return {"do": step.do, "at": step.at, "value": str(step.value or ""), "sort": "text"}


def _typed(value: str, sort: str, number: int) -> Any:
    """A value of the form as the kind that was chosen beside it."""
    if sort == "text":
        return value
    try:
        found = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError) as fault:
        raise DefinitionInvalid(f"change {number}: the value is no {sort}: {fault}") from None
    if sort == "number" and (isinstance(found, bool) or not isinstance(found, int | float)):
        raise DefinitionInvalid(f"change {number}: the value is no number: {value!r}")
    return found
