"""What people write: definitions of computed traits and of survivorship, read strictly, with every fault at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from cauce.errors import DefinitionInvalid
from cauce.registry import nearest

COMPUTES = (
    "count",
    "sum",
    "average",
    "min",
    "max",
    "first",
    "last",
    "most_frequent",
    "unique_count",
    "list",
    "days_since",
)
WITHOUT_PROPERTY = ("count", "days_since")
OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "exists", "contains")
ROOTS = ("properties", "traits", "context", "event")
EVENT_FIELDS = ("channel", "name", "type", "source")
RULES = ("latest", "source_order", "most_frequent", "longest")
WINDOW_DAYS_MAX = 730
LIST_VALUES_MAX = 100
DEFINITIONS_MAX = 500
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
STEP = re.compile(r"[^.\[\]\"\\*?#$]+(\[\])?\Z")
DEFAULTS = Path(__file__).with_name("default_traits.yaml")


class Condition(msgspec.Struct, frozen=True, omit_defaults=True):
    """One test of a property; it holds when any of the property's values passes (none may, for *ne* and *not_in*)."""

    property: str
    op: str
    value: Any = None

    def __post_init__(self) -> None:
        if isinstance(self.value, list):  # as JSON gives it; a definition can be compared and is a key
            msgspec.structs.force_setattr(self, "value", tuple(self.value))


class Definition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A computed trait: what to compute over which events; empty filters let everything pass.

    `window_days` 0 is all time; `limit` is how many values a *list* keeps.
    """

    name: str
    compute: str
    description: str = ""
    events: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    property: str = ""
    window_days: int = 0
    limit: int = 10


class Survivorship(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the value of one trait is chosen; `sources` in order of trust, for *source_order*."""

    rule: str = "latest"
    sources: tuple[str, ...] = ()


class SurvivorshipRules(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rules by trait, and the one for all others."""

    default: Survivorship = Survivorship()
    traits: dict[str, Survivorship] = {}

    def of(self, trait: str) -> Survivorship:
        """The rule of that trait."""
        return self.traits.get(trait, self.default)


@cache
def default_definitions() -> tuple[Definition, ...]:
    """The computed traits of a retailer that come with Cauce."""
    return read_definitions(DEFAULTS.read_text(encoding="utf-8"))


def read_definitions(document: Any) -> tuple[Definition, ...]:
    """Definitions from YAML or JSON text, from one mapping, a list, or a mapping with `traits`.

    Raises DefinitionInvalid that names every fault.
    """
    document = _parsed(document)
    if isinstance(document, Mapping) and set(document) == {"traits"}:
        document = document["traits"]
    entries = [document] if isinstance(document, Mapping) else document
    if not isinstance(entries, Sequence) or isinstance(entries, str | bytes):
        raise DefinitionInvalid(f"expected a list of computed traits, got {type(document).__name__}")
    if len(entries) > DEFINITIONS_MAX:
        raise DefinitionInvalid(f"expected at most {DEFINITIONS_MAX} computed traits, got {len(entries)}")
    faults: list[str] = []
    definitions = [_definition(entry, index, faults) for index, entry in enumerate(entries)]
    names = [definition.name for definition in definitions]
    faults += [f"two computed traits are named {name!r}" for name in sorted({n for n in names if names.count(n) > 1})]
    if faults:
        raise DefinitionInvalid("; ".join(faults))
    return tuple(definitions)


def read_survivorship(document: Any) -> SurvivorshipRules:
    """Survivorship from YAML, JSON or a mapping with `default` and `traits`; DefinitionInvalid names every fault."""
    document = _parsed(document)
    if not isinstance(document, Mapping):
        raise DefinitionInvalid(f"expected survivorship with default and traits, got {type(document).__name__}")
    faults: list[str] = []
    _unknown(document, ("default", "traits"), "survivorship", faults)
    default = _survivorship(document.get("default", {}), "default", faults)
    traits = document.get("traits") or {}
    if not isinstance(traits, Mapping):
        raise DefinitionInvalid(f"expected survivorship traits to be a mapping, got {type(traits).__name__}")
    rules = {str(trait): _survivorship(entry, str(trait), faults) for trait, entry in sorted(traits.items())}
    if faults:
        raise DefinitionInvalid("; ".join(faults))
    return SurvivorshipRules(default, rules)


def _parsed(document: Any) -> Any:
    if not isinstance(document, str | bytes):
        return document
    try:
        return yaml.safe_load(document)
    except yaml.YAMLError as fault:
        raise DefinitionInvalid(f"expected YAML or JSON, got text that is neither: {fault}") from None


def _definition(entry: Any, index: int, faults: list[str]) -> Definition:
    if not isinstance(entry, Mapping):
        faults.append(f"trait {index + 1}: expected a mapping, got {type(entry).__name__}")
        return Definition(name=f"trait {index + 1}", compute="count")
    name = str(entry.get("name", ""))
    label = name or f"trait {index + 1}"
    _unknown(entry, Definition.__struct_fields__, label, faults)
    if not NAME.match(name):
        faults.append(f"{label}: expected name of small letters, digits and _, at most 64, got {entry.get('name')!r}")
    compute = str(entry.get("compute", ""))
    if compute not in COMPUTES:
        faults.append(f"{label}: expected compute to be one of {', '.join(COMPUTES)}, got {entry.get('compute')!r}")
    path = _path(entry.get("property", ""), label, faults)
    if not path and compute in COMPUTES and compute not in WITHOUT_PROPERTY:
        faults.append(f"{label}: expected a property, because {compute} reads one")
    return Definition(
        name=name,
        compute=compute,
        description=str(entry.get("description", "")),
        events=_texts(entry, "events", label, faults),
        types=_texts(entry, "types", label, faults),
        channels=_texts(entry, "channels", label, faults),
        where=_conditions(entry.get("where", ()), label, faults),
        property=path,
        window_days=_whole(entry, "window_days", (0, WINDOW_DAYS_MAX), label, faults),
        limit=_whole(entry, "limit", (10, LIST_VALUES_MAX), label, faults),
    )


def _conditions(entries: Any, label: str, faults: list[str]) -> tuple[Condition, ...]:
    if not isinstance(entries, Sequence) or isinstance(entries, str | bytes):
        faults.append(f"{label}: expected where to be a list of conditions, got {type(entries).__name__}")
        return ()
    return tuple(_condition(entry, f"{label}.where[{index}]", faults) for index, entry in enumerate(entries))


def _condition(entry: Any, label: str, faults: list[str]) -> Condition:
    if not isinstance(entry, Mapping):
        faults.append(f"{label}: expected property, op and value, got {type(entry).__name__}")
        return Condition("", "exists", True)
    _unknown(entry, Condition.__struct_fields__, label, faults)
    path = _path(entry.get("property", ""), label, faults)
    if not path:
        faults.append(f"{label}: expected a property")
    op, value = str(entry.get("op", "")), entry.get("value")
    scalar = isinstance(value, str | int | float)
    if op not in OPERATORS:
        faults.append(f"{label}: expected op to be one of {', '.join(OPERATORS)}, got {entry.get('op')!r}")
    elif op in ("in", "not_in"):
        if not isinstance(value, Sequence) or not all(isinstance(item, str | int | float) for item in value):
            faults.append(f"{label}: expected value to be a list of texts, numbers or booleans, got {value!r}")
        else:
            value = tuple(value)
    elif op == "exists":
        value = True if value is None else value
        if not isinstance(value, bool):
            faults.append(f"{label}: expected value to be true or false, got {value!r}")
    elif op == "contains" and (not isinstance(value, str) or not value):
        faults.append(f"{label}: expected value to be a text, got {value!r}")
    elif not scalar or (op in ("gt", "gte", "lt", "lte") and isinstance(value, bool)):
        faults.append(f"{label}: expected value to be a text or a number, got {value!r}")
    return Condition(path, op, value)


def _path(path: Any, label: str, faults: list[str]) -> str:
    if path == "":
        return ""
    if not isinstance(path, str) or not all(STEP.match(step) for step in path.split(".")):
        faults.append(f"{label}: expected property like total, shipping.city or products[].sku, got {path!r}")
        return ""
    if path.startswith("event.") and path.removeprefix("event.") not in EVENT_FIELDS:
        faults.append(f"{label}: expected event.{{{', '.join(EVENT_FIELDS)}}}, got {path!r}")
        return ""
    if path in ROOTS[:3]:
        faults.append(f"{label}: expected a property inside {path}, got {path!r}")
        return ""
    return path


def _texts(entry: Mapping[str, Any], key: str, label: str, faults: list[str]) -> tuple[str, ...]:
    value = entry.get(key, ())
    if isinstance(value, str):
        value = (value,)
    if not isinstance(value, Sequence) or not all(isinstance(item, str) and item for item in value):
        faults.append(f"{label}: expected {key} to be a list of names, got {value!r}")
        return ()
    return tuple(sorted(set(value)))


def _whole(entry: Mapping[str, Any], key: str, bounds: tuple[int, int], label: str, faults: list[str]) -> int:
    default, most = bounds
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not (1 <= value <= most or value == default):
        faults.append(f"{label}: expected {key} to be 1–{most}, got {value!r}")
        return default
    return value


def _survivorship(entry: Any, label: str, faults: list[str]) -> Survivorship:
    if isinstance(entry, str):
        entry = {"rule": entry}
    if not isinstance(entry, Mapping):
        faults.append(f"{label}: expected a rule, got {entry!r}")
        return Survivorship()
    _unknown(entry, ("rule", "sources"), label, faults)
    rule = str(entry.get("rule", "latest"))
    if rule not in RULES:
        faults.append(
            f"{label}: expected rule to be one of {', '.join(RULES)}, got {rule!r}. {nearest(rule, list(RULES))}"
        )
    sources = entry.get("sources", ())
    if isinstance(sources, str) or not isinstance(sources, Sequence) or not all(isinstance(s, str) for s in sources):
        faults.append(f"{label}: expected sources to be a list of names, got {sources!r}")
        sources = ()
    if rule == "source_order" and not sources:
        faults.append(f"{label}: expected sources, because source_order goes by them")
    return Survivorship(rule, tuple(sources))


def _unknown(entry: Mapping[str, Any], known: Sequence[str], label: str, faults: list[str]) -> None:
    faults.extend(
        f"{label}: there is no {key!r}. {nearest(str(key), list(known))}" for key in entry if key not in known
    )
