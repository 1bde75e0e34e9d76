"""Pure rules: which reasons an event gives, how values are shown, how a document is patched."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any

import jsonschema_rs
import msgspec

from cauce.model import DAY, SECOND, Event, Reason
from cauce.quality.codes import SOFT
from cauce.quality.contract import TYPES, Book, Compiled

ID_CHARACTERS_MAX = 100
REASONS_MAX = 20
_TYPES = frozenset(TYPES)

_KINDS = {
    "required": "property_missing",
    "dependentRequired": "property_missing",
    "falseSchema": "property_unexpected",
    "additionalProperties": "property_unexpected",
    "unevaluatedProperties": "property_unexpected",
    "type": "type_wrong",
    "enum": "value_not_allowed",
    "const": "value_not_allowed",
    "minimum": "number_out_of_range",
    "maximum": "number_out_of_range",
    "exclusiveMinimum": "number_out_of_range",
    "exclusiveMaximum": "number_out_of_range",
    "multipleOf": "number_out_of_range",
    "minLength": "text_wrong_length",
    "maxLength": "text_wrong_length",
    "pattern": "pattern_mismatch",
    "format": "format_wrong",
    "minItems": "list_wrong",
    "maxItems": "list_wrong",
    "uniqueItems": "list_wrong",
    "contains": "list_wrong",
    "unevaluatedItems": "list_wrong",
    "additionalItems": "list_wrong",
    "minProperties": "object_wrong",
    "maxProperties": "object_wrong",
    "propertyNames": "object_wrong",
    "anyOf": "alternatives_unmet",
    "oneOf": "alternatives_unmet",
    "oneOfNotValid": "alternatives_unmet",
    "oneOfMultipleValid": "alternatives_unmet",
    "not": "alternatives_unmet",
}
_FORMATS = {
    "currency": ("currency_unknown", "an ISO 4217 code"),
    "unit": ("unit_unknown", "a UCUM unit or UN/CEFACT code"),
    "gtin": ("gtin_wrong", "8, 12, 13 or 14 digits with the right check digit"),
    "time": ("time_unreadable", "an ISO 8601 date or time"),
}
_WORDS = {"string": "text", "array": "list", "boolean": "true or false", "null": "nothing", "integer": "whole number"}
_NUMBER = re.compile(r"\s*[-+]?\d{1,30}(\.\d{1,30})?\s*")
_PERSONAL = re.compile(
    r"name|mail|phone|mobile|address|street|birth|passw|user|customer|account|card|iban|token|_?ip$", re.I
)
TELLING_CHARACTERS = 6
"""Shorter values (a customer number 7) are never looked for inside other text."""
PHONE_DIGITS = 9
_SHOWN_CHARACTERS_MAX = 24
_DIGITS_MAX = 5


class Limits(msgspec.Struct, frozen=True):
    """Bounds of every event, whatever its contract."""

    event_bytes_max: int
    future_seconds_max: int
    past_days_max: int
    ahead_min: int = 0
    ahead_max: int = 0

    @classmethod
    def of(cls, event_bytes_max: int = 32_768, future_seconds_max: int = 86_400, past_days_max: int = 36_500) -> Limits:
        """With the bounds of *occurred − received* in microseconds worked out once."""
        return cls(
            event_bytes_max, future_seconds_max, past_days_max, -past_days_max * DAY, future_seconds_max * SECOND
        )


class Verdict(msgspec.Struct, frozen=True):
    """`hard` reasons come from the base contract and always quarantine; `contract` ones do as the mode says."""

    hard: tuple[Reason, ...] = ()
    contract: tuple[Reason, ...] = ()
    key: str = ""
    quarantines: bool = False


CLEAN = Verdict()


def judged(event: Event, size_bytes: int, book: Book, limits: Limits) -> Verdict:
    """What is wrong with an event; `CLEAN` when nothing is. The quick path runs for nearly every event."""
    kind = event.type
    name = event.name
    compiled = book.find(event.source, kind, name)
    clean = (
        kind in _TYPES
        and (name or kind != "track")
        and 0 < len(event.id) <= ID_CHARACTERS_MAX
        and (event.identifiers or not (compiled is None or compiled.any_identifier))
        and limits.ahead_min <= event.occurred - event.received <= limits.ahead_max
        and size_bytes <= limits.event_bytes_max
    )
    if compiled is None:
        if clean and (kind != "track" or book.accepts_unknown(event.source)):
            return CLEAN
        return Verdict(hard=_base_faults(event, size_bytes, None, limits) + _unknown_fault(event, book))
    if (
        clean
        and not compiled.kinds
        and (compiled.properties_valid is None or compiled.properties_valid(event.properties))
        and (compiled.traits_valid is None or compiled.traits_valid(event.traits))
    ):
        return CLEAN
    hard = () if clean else _base_faults(event, size_bytes, compiled, limits)
    broken = _contract_faults(event, compiled)
    if not hard and not broken:
        return CLEAN
    return Verdict(hard, broken, compiled.key, compiled.quarantines and any(r.code not in SOFT for r in broken))


def _unknown_fault(event: Event, book: Book) -> tuple[Reason, ...]:
    if event.type != "track" or not event.name or book.accepts_unknown(event.source):
        return ()
    return (Reason("event_unknown", "/event", "an event that has a contract", _text(event.name)),)


def _base_faults(event: Event, size_bytes: int, compiled: Compiled | None, limits: Limits) -> tuple[Reason, ...]:
    faults: list[Reason] = []
    ahead = event.occurred - event.received
    if event.type not in _TYPES:
        faults.append(Reason("type_unknown", "/type", ", ".join(TYPES), _text(event.type)))
    if event.type == "track" and not event.name:
        faults.append(Reason("event_name_missing", "/event", "the event's name", "nothing"))
    if not event.id:
        faults.append(Reason("id_missing", "/messageId", "an id of at most 100 characters", "nothing"))
    if len(event.id) > ID_CHARACTERS_MAX:
        found = f"text of {len(event.id)} characters"
        faults.append(Reason("id_too_long", "/messageId", f"at most {ID_CHARACTERS_MAX} characters", found))
    if not event.identifiers and (compiled is None or compiled.any_identifier):
        faults.append(
            Reason("identifier_missing", "", "at least one identifier, such as userId or anonymousId", "none")
        )
    if ahead > limits.future_seconds_max * SECOND:
        expected = f"at most {limits.future_seconds_max} seconds after receipt"
        faults.append(Reason("time_in_future", "/timestamp", expected, f"{ahead // SECOND} seconds after receipt"))
    if -ahead > limits.past_days_max * DAY:
        expected = f"at most {limits.past_days_max} days before receipt"
        faults.append(Reason("time_too_old", "/timestamp", expected, f"{-ahead // DAY} days before receipt"))
    if size_bytes > limits.event_bytes_max:
        expected = f"at most {limits.event_bytes_max} bytes"
        faults.append(Reason("event_too_large", "", expected, f"{size_bytes} bytes"))
    return tuple(faults)


def _contract_faults(event: Event, compiled: Compiled) -> tuple[Reason, ...]:
    faults: list[Reason] = []
    if compiled.kinds and event.identifiers and not any(found.kind in compiled.kinds for found in event.identifiers):
        kinds = ", ".join(sorted(compiled.kinds))
        found = ", ".join(sorted({_text(found.kind) for found in event.identifiers}))
        faults.append(Reason("identifier_missing", "", f"an identifier of kind {kinds}", found))
    if compiled.properties is not None:
        faults += [_reason(error, "/properties") for error in compiled.properties.iter_errors(event.properties)]
    if compiled.traits is not None:
        faults += [_reason(error, "/traits") for error in compiled.traits.iter_errors(event.traits)]
    return tuple(dict.fromkeys(faults))[:REASONS_MAX]


def _reason(error: jsonschema_rs.ValidationError, root: str) -> Reason:
    """A validator's error as a reason, without personal data."""
    kind, wanted, value = error.kind.name, error.kind.value, error.instance
    path = [*error.instance_path]
    code = _KINDS.get(kind, "contract_broken")
    if kind in ("required", "dependentRequired"):
        return Reason(code, _pointer(root, [*path, str(wanted)]), "a value", "nothing")
    found = shown(value, personal=root == "/traits" or any(_PERSONAL.search(str(step)) for step in path))
    if kind == "type":
        types = [word for word in wanted if word != "null"] or wanted
        return _type_reason(value, types, _pointer(root, path), found, in_list=bool(path) and isinstance(path[-1], int))
    if kind == "format":
        code, expected = _FORMATS.get(str(wanted), (code, f"a text of format {wanted}"))
        return Reason(code, _pointer(root, path), expected, found)
    if kind in ("enum", "const"):
        allowed = [option for option in (wanted if isinstance(wanted, list) else [wanted]) if option is not None]
        return Reason(code, _pointer(root, path), "one of " + _listed(allowed), found)
    plain = wanted if isinstance(wanted, int | float | str) else ""
    return Reason(code, _pointer(root, path), f"{kind} {plain}".strip()[:200], found)


def _type_reason(value: Any, types: list[str], pointer: str, found: str, *, in_list: bool) -> Reason:
    expected = " or ".join(_WORDS.get(word, word) for word in types)
    if value is None and not in_list:
        return Reason("property_missing", pointer, "a value", "nothing")
    if isinstance(value, str) and {"number", "integer"} & set(types) and _NUMBER.fullmatch(value):
        return Reason("number_as_text", pointer, expected, "a number as text")
    if isinstance(value, int | float) and not isinstance(value, bool) and "string" in types:
        return Reason("text_as_number", pointer, expected, "a number")
    return Reason("type_wrong", pointer, expected, found)


def shown(value: Any, *, personal: bool) -> str:
    """What a reason may say about a value: its type, and the value itself only when it is short and impersonal."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        text = str(value)
        return "number" if personal or _looks_personal(text) else text
    if isinstance(value, str):
        if personal or len(value) > _SHOWN_CHARACTERS_MAX or _looks_personal(value):
            return f"text of {len(value)} characters"
        return json.dumps(value, ensure_ascii=False)
    return f"list of {len(value)}" if isinstance(value, list | tuple) else "object"


def _text(value: str) -> str:
    return shown(value, personal=False)


def _looks_personal(text: str) -> bool:
    return "@" in text or sum(character.isdigit() for character in text) > _DIGITS_MAX


def _listed(options: list[Any]) -> str:
    text = ", ".join(str(option) for option in options[:12])
    return f"{text} …" if len(options) > 12 else text


def _pointer(root: str, steps: Iterable[str | int]) -> str:
    """JSON pointer (RFC 6901) below `root`; a step that could name a person becomes `*`."""
    parts = [
        "*" if isinstance(step, str) and (len(step) > 100 or _looks_personal(step)) else str(step) for step in steps
    ]
    return "".join([root, *("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)])


def place(path: str) -> str:
    """A pointer with `*` for every position in a list, so that equal breaches count together."""
    return "/".join("*" if step.isdigit() else step for step in path.split("/"))[:200]


def merged(document: Any, patch: Any) -> Any:
    """`document` after a JSON merge patch (RFC 7386): null removes, objects go deeper, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def raw_text(raw: Any) -> tuple[str, str]:
    """(form, text) to keep a raw item by: *json* as sent, *text* when it is none, *base64* when it is not even text."""
    if isinstance(raw, bytes | bytearray | memoryview | msgspec.Raw):
        data = bytes(raw)
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return "base64", base64.b64encode(data).decode()
        try:
            msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError):
            return "text", text
        return "json", text
    try:
        return "json", msgspec.json.encode(raw).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass
    try:
        return "json", json.dumps(raw, default=str)
    except (TypeError, ValueError, RecursionError):
        return "text", f"({type(raw).__name__}, nested too deeply to be written down)"


def mentions(form: str, raw: str, identifiers: Iterable[str]) -> bool:
    """Whether a kept raw item names one of the identifiers (`kind:value`), without taking somebody else for them.

    A value of at least six characters counts wherever it stands as a word of its own; a shorter one only as the whole
    of a field that is called like its kind (`userId` for *user_id*), because a 7 is in anybody's text.
    Phone numbers are compared by their last nine digits, since they were sent in any spelling.
    """
    content = _content(form, raw)
    fields = [(name, text.casefold()) for name, text in _scalars(content)]
    for identifier in identifiers:
        kind, _, value = identifier.partition(":")
        wanted = value.casefold()
        if len(wanted) < TELLING_CHARACTERS:
            name = _plain(kind)
            if wanted and any(text == wanted and field in (name, f"{name}id") for field, text in fields):
                return True
            continue
        if any(wanted in text and (form != "json" or _stands_alone(wanted, text)) for _, text in fields):
            return True
        digits = re.sub(r"\D", "", value)[-PHONE_DIGITS:]
        is_phone = kind == "phone" and len(digits) == PHONE_DIGITS
        if is_phone and any(digits in re.sub(r"\D", "", text) for _, text in fields):
            return True
    return False


def _stands_alone(wanted: str, text: str) -> bool:
    """Whether a text contains a value that no further letter or digit makes another one (user-1 in user-12)."""
    return re.search(rf"(?<![^\W_]){re.escape(wanted)}(?![^\W_])", text) is not None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _content(form: str, raw: str) -> Any:
    if form == "base64":
        return base64.b64decode(raw).decode("latin-1")
    try:
        return msgspec.json.decode(raw) if form == "json" else raw
    except (msgspec.DecodeError, RecursionError):
        return raw


def _scalars(value: Any) -> Iterable[tuple[str, str]]:
    """(name of the field in plain letters, text) of every value inside a document; names of fields are texts too."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        name, current = waiting.pop()
        if isinstance(current, dict):
            for key, inner in current.items():
                waiting += [("", key), (_plain(str(key)), inner)]
        elif isinstance(current, list):
            waiting += [(name, inner) for inner in current]
        elif current is not None:
            yield name, str(current)
