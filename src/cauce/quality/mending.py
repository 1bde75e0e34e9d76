"""Mending quarantined items: changes of a document in small steps, and what would become of it if it came again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from cauce.errors import DefinitionInvalid
from cauce.model import Event, Reason, Received, Source
from cauce.quality.contract import Book
from cauce.quality.rules import Limits, judged, merged, raw_text
from cauce.registry import nearest

STEPS = ("set", "rename", "number", "text", "remove")
STEPS_MAX = 50
POINTER_STEPS_MAX = 20
LIMITS = Limits.of()

_NO_REASON = Reason("undecoded", "", "an event, or the reason why there is none", "neither")
_ABSENT = object()
_PLAIN = re.compile(r"[-+]?\d{1,30}(\.\d{1,30})?")
_COMMA = re.compile(r"[-+]?\d{1,30},(\d{1,2}|\d{4,30})")
_GROUPED_DOTS = re.compile(r"[-+]?\d{1,3}(\.\d{3})+,\d{1,30}")
_GROUPED_COMMAS = re.compile(r"[-+]?\d{1,3}(,\d{3})+\.\d{1,30}")
_AROUND_A_NUMBER = " \t\u00a0\u202f€$£%"


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change of a document at a JSON pointer; in the pointer `*` stands for every element of a list.

    *set* puts `value` there, *rename* gives the field the name `value`, *number* reads a text as a number, *text*
    writes a number as text, *remove* takes the field away. A place that is not there is left alone, except by *set*.
    """

    do: str
    at: str
    value: Any = None


class Mend(msgspec.Struct, frozen=True, omit_defaults=True):
    """What to change in every chosen item: a JSON merge patch (RFC 7386) first, then the steps in their order."""

    steps: tuple[Step, ...] = ()
    patch: Any = None

    def __bool__(self) -> bool:
        return bool(self.steps) or self.patch is not None

    def applied(self, document: Any) -> Any:
        """The document after the changes; the one that was given stays as it is."""
        result = document if self.patch is None else merged(document, self.patch)
        for step in self.steps:
            result = _changed(result, _pointer(step.at), step)
        return result


class Outcome(msgspec.Struct, frozen=True):
    """What would become of an item: it `passes`, or has `reasons`. `observed` reasons are counted, and let it pass."""

    passes: bool
    reasons: tuple[Reason, ...] = ()
    observed: tuple[Reason, ...] = ()


def read_mend(steps: Iterable[Any] = (), patch: Any = None) -> Mend:
    """The changes that a form or an API body describes; DefinitionInvalid when one makes no sense."""
    found = tuple(_step(given, number) for number, given in enumerate(steps, start=1))
    if len(found) > STEPS_MAX:
        raise DefinitionInvalid(f"expected at most {STEPS_MAX} changes, got {len(found)}")
    if patch is not None and not isinstance(patch, dict):
        raise DefinitionInvalid(f"expected a merge patch to be a JSON object, got {type(patch).__name__}")
    return Mend(found, patch)


def number_of(text: str) -> int | float | None:
    """The number that a text shows, with decimal point or comma; None when that is not certain (`1,234`)."""
    bare = text.strip(_AROUND_A_NUMBER)
    if _GROUPED_COMMAS.fullmatch(bare):
        bare = bare.replace(",", "")
    elif _GROUPED_DOTS.fullmatch(bare):
        bare = bare.replace(".", "").replace(",", ".")
    elif _COMMA.fullmatch(bare):
        bare = bare.replace(",", ".")
    elif not _PLAIN.fullmatch(bare):
        return None
    return float(bare) if "." in bare else int(bare)


def outcome_of(item: Received, book: Book, limits: Limits, source: Source | None) -> Outcome:
    """The judgement of the river on an item that came again: by the same rule, contracts and bounds."""
    event = item.event
    if event is None:
        return Outcome(False, item.reasons or (_NO_REASON,))
    if source is not None and source.event_bytes_max:
        limits = msgspec.structs.replace(limits, event_bytes_max=source.event_bytes_max)
    verdict = judged(event, _size_bytes(item.raw), book, limits)
    observes = source is not None and source.mode == "observe"
    if verdict.hard or (verdict.quarantines and not observes):
        return Outcome(False, verdict.hard + verdict.contract)
    return Outcome(True, observed=verdict.contract)


class Trial:
    """What would become of items if they came again now; asks, and changes nothing.

    `decode` turns the body of a replay decision into the items that it carries; `book` are the contracts in force.
    """

    def __init__(
        self,
        decode: Callable[[Mapping[str, Any]], Sequence[Received]],
        book: Book,
        source_of: Callable[[str], Source | None],
        limits: Limits = LIMITS,
        is_suppressed: Callable[[Event], bool] | None = None,
    ) -> None:
        self._decode = decode
        self._book = book
        self._source_of = source_of
        self._limits = limits
        self._is_suppressed = is_suppressed

    def outcomes(self, request: Mapping[str, Any]) -> list[Outcome]:
        """One outcome per item of the body of a `quarantine.replayed` decision, in its order."""
        return [
            outcome_of(item, self._book, self._limits, self._source_of(item.source)) for item in self._decode(request)
        ]


def suggestion(reason: Reason) -> Step | None:
    """A change that would mend a reason, with an empty value where only a person knows it; None when there is none."""
    if not reason.path:
        return None
    at = "/".join("*" if step.isdigit() else step for step in reason.path.split("/"))
    expected = reason.expected
    match reason.code:
        case "number_as_text":
            return Step("number", at)
        case "type_wrong" if "number" in expected and reason.found.startswith(('"', "text")):
            return Step("number", at)
        case "text_as_number":
            return Step("text", at)
        case "type_wrong" if expected == "text" and re.fullmatch(r"number|[-+]?[\d.]+", reason.found):
            return Step("text", at)
        case "property_unexpected":
            return Step("remove", at)
        case "value_not_allowed" if expected.startswith("one of ") and "," not in expected:
            return Step("set", at, expected.removeprefix("one of "))
        case (
            "property_missing"
            | "event_name_missing"
            | "value_not_allowed"
            | "currency_unknown"
            | "unit_unknown"
            | "gtin_wrong"
            | "time_unreadable"
            | "format_wrong"
            | "pattern_mismatch"
            | "text_wrong_length"
            | "number_out_of_range"
            | "type_unknown"
            | "type_wrong"
        ):
            return Step("set", at, "")
    return None


def _step(given: Any, number: int) -> Step:
    label = f"change {number}"
    if not isinstance(given, Mapping):
        raise DefinitionInvalid(f"{label}: expected do, at and value, got {type(given).__name__}")
    for field in given:
        if field not in Step.__struct_fields__:
            hint = nearest(str(field), list(Step.__struct_fields__))
            raise DefinitionInvalid(f"{label}: there is no {field!r}", hint=hint)
    do, at, value = given.get("do"), given.get("at"), given.get("value")
    if do not in STEPS:
        raise DefinitionInvalid(f"{label}: expected do to be one of {', '.join(STEPS)}, got {do!r}")
    if not isinstance(at, str) or not at.startswith("/") or at.count("/") > POINTER_STEPS_MAX:
        expected = f"a JSON pointer of at most {POINTER_STEPS_MAX} steps, like /properties/total"
        raise DefinitionInvalid(f"{label}: expected at to be {expected}, got {at!r}")
    if at.endswith("*") and do in ("rename",):
        raise DefinitionInvalid(f"{label}: elements of a list have no name to change", hint="Name a field of them")
    if do == "rename" and (not isinstance(value, str) or not value):
        raise DefinitionInvalid(f"{label}: expected the new name of the field, got {value!r}")
    return Step(str(do), at, value if do in ("set", "rename") else None)


def _pointer(text: str) -> list[str]:
    """Steps of a JSON pointer (RFC 6901)."""
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _changed(document: Any, steps: list[str], step: Step) -> Any:
    """A copy of the document with one change below it; `steps` lead to the place."""
    head, *rest = steps
    if isinstance(document, list):
        places = range(len(document)) if head == "*" else [int(head)] if head.isdigit() else []
        return [
            element if index not in places else _element(element, rest, step)
            for index, element in enumerate(document)
            if not (index in places and not rest and step.do == "remove")
        ]
    if not isinstance(document, dict):
        return document
    if rest:
        below = document.get(head, _ABSENT)
        if below is _ABSENT or below is None:
            return document if step.do != "set" or "*" in rest else {**document, head: _changed({}, rest, step)}
        return {**document, head: _changed(below, rest, step)}
    if step.do == "rename":
        return {str(step.value) if name == head else name: value for name, value in document.items()}
    if step.do == "remove":
        return {name: value for name, value in document.items() if name != head}
    if head not in document and step.do != "set":
        return document
    return {**document, head: _value(document.get(head), step)}


def _element(element: Any, rest: list[str], step: Step) -> Any:
    return _changed(element, rest, step) if rest else _value(element, step)


def _value(value: Any, step: Step) -> Any:
    if step.do == "set":
        return step.value
    if step.do == "number" and isinstance(value, str):
        number = number_of(value)
        return value if number is None else number
    if step.do == "text" and isinstance(value, int | float) and not isinstance(value, bool):
        return msgspec.json.encode(value).decode()
    return value


def _size_bytes(raw: Any) -> int:
    """Size of an item as the river measures it."""
    if isinstance(raw, bytes | str):
        return len(raw)
    if isinstance(raw, msgspec.Raw):
        return len(memoryview(raw))
    return len(raw_text(raw)[1].encode())
