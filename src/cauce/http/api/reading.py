"""Parameters and bodies as records, or a refusal that names every fault by its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

import msgspec

from cauce.client.types.basics import Fault
from cauce.errors import Unreadable
from cauce.http.problems import NO_SUCH, Misfit
from cauce.registry import nearest

PARAMETERS_MAX = 200
SHOWN_CHARACTERS = 80
DEPTH_MAX = 100
_PLACE = re.compile(r"^(?P<said>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def parameters(query_string: bytes, shape: type[msgspec.Struct]) -> Any:
    """The record that a query string fills; Misfit for what is unknown, told twice, or not what it should be."""
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=PARAMETERS_MAX)
    except ValueError:
        raise Unreadable(f"expected at most {PARAMETERS_MAX} parameters") from None
    lists, moments = lists_of(shape), moments_of(shape)
    found: dict[str, Any] = {}
    faults = []
    for name, value in pairs:
        if name not in shape.__struct_fields__:
            faults.append(_stranger(name, shape, "parameter"))
        elif "\0" in value:
            faults.append(Fault(path=f"/{name}", expected="text without the character NUL"))
        elif name in moments and not _DATE.match(value):  # msgspec would take a number as seconds since 1970
            faults.append(Fault(path=f"/{name}", expected="a moment of ISO 8601", found=value[:SHOWN_CHARACTERS]))
        elif name in lists:
            found.setdefault(name, []).append(value)
        elif name in found:
            faults.append(Fault(path=f"/{name}", expected="given once", found=value[:SHOWN_CHARACTERS]))
        else:
            found[name] = value
    if faults:
        raise Misfit(faults)
    return converted(found, shape, strict=False)


def body(raw: bytes, shape: type[msgspec.Struct]) -> Any:
    """The record that a JSON body is; Unreadable when it is no JSON, Misfit when it does not fit."""
    if not raw.strip():
        raise Unreadable(
            "expected a JSON body, got none", hint=f"Members: {', '.join(shape.__struct_fields__) or 'none'}"
        )
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise Unreadable(f"the body is no JSON: {fault}") from None
    if is_deep(value):
        raise Unreadable(f"expected at most {DEPTH_MAX} objects and lists inside one another")
    if isinstance(value, dict):
        strangers = [_stranger(name, shape, "member") for name in value if name not in shape.__struct_fields__]
        if strangers:
            raise Misfit(strangers)
    return converted(value, shape, strict=True)


def is_deep(value: Any) -> bool:
    """Whether objects and lists lie deeper inside one another than anybody needs."""
    level = [value]
    for _ in range(DEPTH_MAX):
        inner = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [each for several in inner for each in several]
        if not level:
            return False
    return True


@cache
def lists_of(shape: type[msgspec.Struct]) -> frozenset[str]:
    """Names of the fields that may be told several times."""
    return frozenset(name for name, hint in get_type_hints(shape).items() if get_origin(hint) is list)


@cache
def moments_of(shape: type[msgspec.Struct]) -> frozenset[str]:
    """Names of the fields that are a moment."""
    return frozenset(name for name, hint in get_type_hints(shape).items() if datetime in (hint, *get_args(hint)))


def converted(value: Any, shape: type[msgspec.Struct], *, strict: bool) -> Any:
    try:
        return msgspec.convert(value, shape, strict=strict)
    except msgspec.ValidationError as fault:
        raise Misfit([_fault(str(fault), value, shape)]) from None


def _stranger(name: str, shape: type[msgspec.Struct], what: str) -> Fault:
    known = list(shape.__struct_fields__)
    hint = nearest(name, known) if known else "There are none"
    return Fault(path=f"/{pointer(name[:SHOWN_CHARACTERS])}", expected=f"{NO_SUCH}{what}. {hint}")


def _fault(said: str, value: Any, shape: type[msgspec.Struct]) -> Fault:
    """What msgspec says, in the words of this project and with the value that it means."""
    match = _PLACE.match(said)
    assert match is not None, "the pattern matches every text"
    text, path = match["said"], (match["path"] or "$").removeprefix("$")
    steps = [index or name for name, index in re.findall(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]", path)]
    member = re.search("`([^`]+)`$", text)
    if text.startswith("Object missing required field") and member:
        return _at_place([*steps, member[1]], "given", None)
    if text.startswith("Object contains unknown field") and member:
        return _at_place([*steps, member[1]], f"{NO_SUCH}member", None)
    expected = re.sub("^Expected ", "", text)
    if text.startswith("Invalid enum value"):
        allowed = choices(get_type_hints(shape, include_extras=True).get(steps[0] if steps else "", None))
        expected = f"one of {', '.join(allowed)}" if len(steps) == 1 and allowed else "one of its values"
    return _at_place(steps, expected[0].lower() + expected[1:], _at(value, steps))


def _at_place(steps: Sequence[str], expected: str, found: Any) -> Fault:
    return Fault(path="".join(f"/{pointer(step)}" for step in steps), expected=expected, found=_shown(found))


def choices(hint: Any) -> list[str]:
    """The texts that a type allows, when it is a choice."""
    if get_origin(hint) is Literal:
        return [str(value) for value in get_args(hint)]
    return [value for inner in get_args(hint) if not isinstance(inner, str) for value in choices(inner)]


def _at(value: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _shown(value: Any) -> str:
    if value is None or isinstance(value, Mapping):
        return ""
    try:
        text = msgspec.json.encode(value).decode()
    except (msgspec.EncodeError, UnicodeEncodeError):
        text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def pointer(step: str) -> str:
    """One step of a JSON pointer."""
    return step.replace("~", "~0").replace("/", "~1")
