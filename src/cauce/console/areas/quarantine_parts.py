"""What quarantine pages show and read: an event with its faults marked, what was expected, forms of changes."""

from __future__ import annotations

import re
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

_WORDS = {
    "text": marked("text"),
    "number": marked("number"),
    "whole number": marked("whole number"),
    "true or false": marked("true or false"),
    "list": marked("list"),
    "object": marked("object"),
    "nothing": marked("nothing"),
    "none": marked("none"),
    "a value": marked("a value"),
    "an object": marked("an object"),
    "a JSON document": marked("a JSON document"),
    "an event or traits": marked("an event or traits"),
    "text that is not empty": marked("text that is not empty"),
    "text without NUL": marked("text without NUL"),
    "text of whole characters": marked("text of whole characters"),
    "numbers that JSON knows": marked("numbers that JSON knows"),
    "ISO 8601 or seconds since 1970": marked("ISO 8601 or seconds since 1970"),
    "an integer of 64 bits": marked("an integer of 64 bits"),
    "a number of 64 bits": marked("a number of 64 bits"),
    "more": marked("more"),
    "anyOf": marked("one of the contract's alternatives"),
    "oneOf": marked("exactly one of the contract's alternatives"),
    "oneOfNotValid": marked("exactly one of the contract's alternatives"),
    "oneOfMultipleValid": marked("exactly one of the contract's alternatives"),
    "uniqueItems": marked("elements that differ"),
    "additionalProperties": marked("no other field"),
    "a number": marked("a number"),
    "a number as text": marked("a number as text"),
    "the event's name": marked("the event's name"),
    "an ISO 4217 code": marked("an ISO 4217 code"),
    "a UCUM unit or UN/CEFACT code": marked("a UCUM unit or UN/CEFACT code"),
    "8, 12, 13 or 14 digits with the right check digit": marked("8, 12, 13 or 14 digits with the right check digit"),
    "an ISO 8601 date or time": marked("an ISO 8601 date or time"),
    "an event that has a contract": marked("an event that has a contract"),
    "at least one identifier, such as userId or anonymousId": marked(
        "at least one identifier, such as userId or anonymousId"
    ),
}
_PATTERNS = (
    (re.compile(r"text of (?P<count>\d+) characters"), marked("text of %(count)s characters")),
    (re.compile(r"list of (?P<count>\d+)"), marked("list of %(count)s")),
    (re.compile(r"(?P<count>\d+) bytes"), marked("%(count)s bytes")),
    (re.compile(r"at most (?P<count>\d+) bytes"), marked("at most %(count)s bytes")),
    (re.compile(r"at most (?P<count>\d+) characters"), marked("at most %(count)s characters")),
    (re.compile(r"an id of at most (?P<count>\d+) characters"), marked("an id of at most %(count)s characters")),
    (re.compile(r"at most (?P<count>\d+) levels"), marked("at most %(count)s levels")),
    (re.compile(r"at most (?P<count>\d+) seconds after receipt"), marked("at most %(count)s seconds after receipt")),
    (re.compile(r"(?P<count>\d+) seconds after receipt"), marked("%(count)s seconds after receipt")),
    (re.compile(r"at most (?P<count>\d+) days before receipt"), marked("at most %(count)s days before receipt")),
    (re.compile(r"(?P<count>\d+) days before receipt"), marked("%(count)s days before receipt")),
    (re.compile(r"an identifier of kind (?P<kinds>.+)", re.S), marked("an identifier of kind %(kinds)s")),
    (re.compile(r"a text of format (?P<name>.+)", re.S), marked("a text of format %(name)s")),
    (re.compile(r"one of (?P<values>.+)", re.S), marked("one of %(values)s")),
    (re.compile(r"minimum (?P<bound>.+)", re.S), marked("at least %(bound)s")),
    (re.compile(r"maximum (?P<bound>.+)", re.S), marked("at most %(bound)s")),
    (re.compile(r"exclusiveMinimum (?P<bound>.+)", re.S), marked("more than %(bound)s")),
    (re.compile(r"exclusiveMaximum (?P<bound>.+)", re.S), marked("less than %(bound)s")),
    (re.compile(r"minLength (?P<bound>\d+)"), marked("at least %(bound)s characters")),
    (re.compile(r"maxLength (?P<bound>\d+)"), marked("at most %(bound)s characters")),
    (re.compile(r"minItems (?P<bound>\d+)"), marked("at least %(bound)s elements")),
    (re.compile(r"maxItems (?P<bound>\d+)"), marked("at most %(bound)s elements")),
)


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
    if text in _WORDS:
        return words.say(_WORDS[text])
    for pattern, said in _PATTERNS:
        if found := pattern.fullmatch(text):
            return words.say(said, **found.groupdict())
    parts = text.split(" or ")
    if len(parts) > 1 and all(part in _WORDS for part in parts):
        return words.say(marked(" or ")).join(words.say(_WORDS[part]) for part in parts)
    return text


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
