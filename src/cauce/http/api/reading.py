"""Parameters and bodies as records, or a refusal that names every fault by its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_origin, get_type_hints
from urllib.parse import parse_qsl

import msgspec

from cauce.client.types.common import Fault
from cauce.errors import Unreadable
from cauce.http.problems import Misfit
from cauce.registry import nearest

PARAMETERS_MAX = 200
SHOWN_CHARACTERS = 80
_PLACE = re.compile(r"^(?P<said>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)


def parameters(query_string: bytes, shape: type[msgspec.Struct]) -> Any:
    """The record that a query string fills; Misfit for what is unknown, told twice, or not what it should be."""
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=PARAMETERS_MAX)
    except ValueError:
        raise Unreadable(f"expected at most {PARAMETERS_MAX} parameters") from None
    lists = lists_of(shape)
    found: dict[str, Any] = {}
    faults = []
    for name, value in pairs:
        if name not in shape.__struct_fields__:
            faults.append(_stranger(name, shape, "parameter"))
        elif name in lists:
            found.setdefault(name, []).append(value)
        elif name in found:
            faults.append(Fault(path=f"/{name}", expected="to be given once", found=value[:SHOWN_CHARACTERS]))
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
    if isinstance(value, dict):
        strangers = [_stranger(name, shape, "member") for name in value if name not in shape.__struct_fields__]
        if strangers:
            raise Misfit(strangers)
    return converted(value, shape, strict=True)


def lists_of(shape: type[msgspec.Struct]) -> frozenset[str]:
    """Names of the fields that may be told several times."""
    return frozenset(name for name, hint in get_type_hints(shape).items() if get_origin(hint) is list)


def converted(value: Any, shape: type[msgspec.Struct], *, strict: bool) -> Any:
    try:
        return msgspec.convert(value, shape, strict=strict)
    except msgspec.ValidationError as fault:
        raise Misfit([_fault(str(fault), value)]) from None


def _stranger(name: str, shape: type[msgspec.Struct], what: str) -> Fault:
    known = list(shape.__struct_fields__)
    hint = nearest(name, known) if known else "There are none"
    return Fault(path=f"/{pointer(name[:SHOWN_CHARACTERS])}", expected=f"no such {what}. {hint}")


def _fault(said: str, value: Any) -> Fault:
    """What msgspec says, with the value that it means."""
    match = _PLACE.match(said)
    assert match is not None, "the pattern matches every text"
    text, path = match["said"], (match["path"] or "$").removeprefix("$")
    steps = [index or name for name, index in re.findall(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]", path)]
    expected = text[0].lower() + text[1:]
    return Fault(
        path="".join(f"/{pointer(step)}" for step in steps),
        expected=re.sub("^expected ", "", expected),
        found=_shown(_at(value, steps)),
    )


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
