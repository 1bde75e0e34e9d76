"""Sourcing rules as people write them: read strictly, with every fault at once and its line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import yaml

from cauce.commerce.orders.rules import COLLECTED_KINDS, DELIVERIES
from cauce.errors import DefinitionInvalid
from cauce.registry import nearest

ROLES = ("sells", "picks_up", "ships")
DESTINATIONS = ("any", "only", "never")
TEXT_CHARACTERS_MAX = 50_000
RULES_MAX = 100
LIST_MAX = 500
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\Z")
_NAME = re.compile(r"[^\s\x00-\x1f][^\x00-\x1f]{0,79}\Z")


class When(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which wishes a rule is for; an empty list lets all through."""

    deliveries: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


class Source(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which places may be asked. `keep`: whole units that stay there beyond the safety stock.

    `destination`: *only* the place where it is collected, *never* that one, or *any*.
    """

    roles: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    not_places: tuple[str, ...] = ()
    destination: Literal["any", "only", "never"] = "any"
    open_orders_max: int | None = None
    opens_within_hours: int | None = None
    distance_km_max: float | None = None
    keep: int = 0


class Weights(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a kilometre and an open order cost a place, and what a day of age of its stock gains it."""

    distance_km: float = 0.0
    load: float = 0.0
    stock_age_days: float = 0.0


class Promise(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the time is reckoned. Lead time runs while the place is open; what comes after `cut_off` begins next day.

    `wait_days`: how long it waits at the desk, then it goes back.
    """

    lead_minutes: int = 120
    cut_off: str = ""
    transfer_hours: int = 0
    wait_days: int = 5

    @property
    def cut_off_minutes(self) -> int | None:
        """Minutes from midnight, None without a cut-off."""
        return int(self.cut_off[:2]) * 60 + int(self.cut_off[3:]) if self.cut_off else None


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule; the first of a list whose `when` fits a wish decides."""

    name: str
    when: When = When()
    source: Source = msgspec.field(name="from", default=Source())
    prefer: Weights = Weights()
    promise: Promise = Promise()
    splits_max: int = 1

    def fits(self, delivery: str, channel: str) -> bool:
        """Whether a wish is one of those that the rule is for."""
        when = self.when
        return (not when.deliveries or delivery in when.deliveries) and (not when.channels or channel in when.channels)


class Fault(msgspec.Struct, frozen=True):
    """What is wrong, in which line (from 1), and how it could be said instead."""

    line: int
    message: str


Rules = tuple[Rule, ...]


def rule_for(rules: Rules, delivery: str, channel: str) -> Rule | None:
    """The first rule that fits."""
    return next((rule for rule in rules if rule.fits(delivery, channel)), None)


def as_document(rules: Rules) -> dict[str, Any]:
    """Rules as JSON has them; what is as usual is left out."""
    found = msgspec.json.decode(msgspec.json.encode(rules))
    return {"rules": [{name: value for name, value in rule.items() if value != {}} for rule in found]}


def as_yaml(rules: Rules) -> str:
    """Rules as people write them."""
    return yaml.safe_dump(as_document(rules), allow_unicode=True, sort_keys=False, width=110, default_flow_style=None)


def read_rules(document: Any) -> Rules:
    """Rules from YAML or JSON text, or from what it says; DefinitionInvalid names every fault."""
    text = document if isinstance(document, str) else None
    rules, faults = checked(text) if text is not None else _read(document, None)
    if faults:
        told = [f"line {each.line}: {each.message}" if text is not None else each.message for each in faults[:20]]
        raise DefinitionInvalid("; ".join(told))
    return rules


def checked(text: str) -> tuple[Rules, list[Fault]]:
    """The rules of a text, or what is wrong with it, in order of lines."""
    if len(text) > TEXT_CHARACTERS_MAX:
        return (), [Fault(1, f"expected at most {TEXT_CHARACTERS_MAX} characters, got {len(text)}")]
    try:
        for token in yaml.scan(text, yaml.SafeLoader):
            if isinstance(token, yaml.AnchorToken | yaml.AliasToken):  # a small text with many can mean a huge one
                return (), [Fault(token.start_mark.line + 1, "anchors and aliases cannot be used here")]
        document, node = yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        return (), [Fault(mark.line + 1 if mark else 1, fault.problem or "expected YAML or JSON")]
    except (yaml.YAMLError, RecursionError, ValueError) as fault:
        return (), [Fault(1, str(fault).splitlines()[0] if str(fault) else "expected YAML or JSON")]
    rules, faults = _read(document, node)
    return rules, sorted(faults, key=lambda fault: (fault.line, fault.message))


# -- reading ----------------------------------------------------------------------------------------------------

_Path = tuple[str | int, ...]


class _Reader:
    """Collects faults with their places while values are read."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self.faults: list[Fault] = []

    def wrong(self, path: _Path, message: str) -> None:
        self.faults.append(Fault(_line(self._node, path), message))

    def mapping(self, value: Any, path: _Path, known: Sequence[str]) -> Mapping[str, Any]:
        """A mapping with nothing in it but what is known; {} for what is none."""
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.wrong(path, f"expected {_told(path)} to be a mapping of {', '.join(known)}, got {_shown(value)}")
            return {}
        for name in value:
            if name not in known:
                self.wrong((*path, name), f"{_told(path)} has no {str(name)[:60]!r}. {nearest(str(name), list(known))}")
        return value

    def texts(self, value: Any, path: _Path, choices: Sequence[str] = ()) -> tuple[str, ...]:
        """Several words, or one; each of `choices` when there are any."""
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(each, str) and each for each in found):
            self.wrong(path, f"expected {_told(path)} to be a list of words, got {_shown(value)}")
            return ()
        if len(found) > LIST_MAX:
            self.wrong(path, f"expected at most {LIST_MAX} in {_told(path)}, got {len(found)}")
        for each in found:
            if choices and each not in choices:
                self.wrong(path, f"{_told(path)} has no {each[:60]!r}. {nearest(each, list(choices))}")
        return tuple(dict.fromkeys(found))

    def number(self, value: Any, path: _Path, low: float, high: float, *, whole: bool) -> Any:
        """A number between bounds; the lower bound for what is none."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or (whole and value != int(value)) or not low <= value <= high:
            sort = "a whole number" if whole else "a number"
            self.wrong(path, f"expected {_told(path)} to be {sort} from {low:g} to {high:g}, got {_shown(value)}")
            return int(low) if whole else low
        return int(value) if whole else float(value)


def _read(document: Any, node: Any) -> tuple[Rules, list[Fault]]:
    reader = _Reader(node)
    path: _Path = ()
    if isinstance(document, Mapping):
        reader.mapping(document, (), ("rules",))
        document, path = document.get("rules"), ("rules",)
    if not isinstance(document, list) or not document:
        reader.wrong(path, f"expected a list of rules, got {_shown(document)}")
        return (), reader.faults
    if len(document) > RULES_MAX:
        reader.wrong(path, f"expected at most {RULES_MAX} rules, got {len(document)}")
        return (), reader.faults
    rules = tuple(_rule(reader, entry, (*path, index)) for index, entry in enumerate(document))
    names = [rule.name for rule in rules]
    for index, name in enumerate(names):
        if name and name in names[:index]:
            reader.wrong((*path, index, "name"), f"two rules are named {name!r}")
    return rules, reader.faults


def _rule(reader: _Reader, entry: Any, path: _Path) -> Rule:
    found = reader.mapping(entry, path, ("name", "when", "from", "prefer", "promise", "splits_max"))
    name = found.get("name")
    if not isinstance(name, str) or not _NAME.match(name):
        reader.wrong((*path, "name"), f"expected a rule to have a name of at most 80 characters, got {_shown(name)}")
        name = ""
    rule = Rule(
        name=name,
        when=_when(reader, found.get("when"), (*path, "when")),
        source=_source(reader, found.get("from"), (*path, "from")),
        prefer=_prefer(reader, found.get("prefer"), (*path, "prefer")),
        promise=_promise(reader, found.get("promise"), (*path, "promise")),
        splits_max=reader.number(found.get("splits_max", 1), (*path, "splits_max"), 1, 50, whole=True),
    )
    if rule.source.destination == "only" and rule.splits_max > 1:
        reader.wrong(
            (*path, "splits_max"), "expected splits_max to be 1: what comes from its destination comes from one place"
        )
    if rule.source.destination == "only" and (sent := sorted(set(rule.when.deliveries) - COLLECTED_KINDS)):
        message = f"nobody collects what is {sent[0]}, so it has no destination that could be its source"
        reader.wrong((*path, "from", "destination"), f"expected destination to be any or never: {message}")
    return rule


def _when(reader: _Reader, value: Any, path: _Path) -> When:
    found = reader.mapping(value, path, ("deliveries", "channels"))
    return When(
        deliveries=reader.texts(found.get("deliveries", []), (*path, "deliveries"), list(DELIVERIES)),
        channels=reader.texts(found.get("channels", []), (*path, "channels")),
    )


def _source(reader: _Reader, value: Any, path: _Path) -> Source:
    known = [field.encode_name for field in msgspec.structs.fields(Source)]
    found = reader.mapping(value, path, known)
    destination = found.get("destination", "any")
    if destination not in DESTINATIONS:
        hint = nearest(str(destination), list(DESTINATIONS))
        reader.wrong((*path, "destination"), f"destination has no {_shown(destination)}. {hint}")
        destination = "any"

    def limit(name: str, high: float, *, whole: bool) -> Any:
        if found.get(name) is None:
            return None
        return reader.number(found[name], (*path, name), 0 if name != "open_orders_max" else 1, high, whole=whole)

    return Source(
        roles=reader.texts(found.get("roles", []), (*path, "roles"), ROLES),
        places=reader.texts(found.get("places", []), (*path, "places")),
        not_places=reader.texts(found.get("not_places", []), (*path, "not_places")),
        destination=destination,
        open_orders_max=limit("open_orders_max", 100_000, whole=True),
        opens_within_hours=limit("opens_within_hours", 24 * 60, whole=True),
        distance_km_max=limit("distance_km_max", 20_100, whole=False),
        keep=reader.number(found.get("keep", 0), (*path, "keep"), 0, 1_000_000, whole=True),
    )


def _prefer(reader: _Reader, value: Any, path: _Path) -> Weights:
    known = [field.name for field in msgspec.structs.fields(Weights)]
    found = reader.mapping(value, path, known)
    return Weights(
        **{
            name: reader.number(found[name], (*path, name), 0, 1_000_000, whole=False)
            for name in known
            if name in found
        }
    )


def _promise(reader: _Reader, value: Any, path: _Path) -> Promise:
    found = reader.mapping(value, path, [field.name for field in msgspec.structs.fields(Promise)])
    cut_off = found.get("cut_off", "")
    if isinstance(cut_off, int) and 0 <= cut_off < 1_440:  # YAML 1.1 reads 17:00 without quotes as a number of minutes
        cut_off = f"{cut_off // 60:02d}:{cut_off % 60:02d}"
    if not isinstance(cut_off, str) or (cut_off and not _CLOCK.match(cut_off)):
        reader.wrong((*path, "cut_off"), f'expected cut_off to be a time such as "17:00", got {_shown(cut_off)}')
        cut_off = ""
    bounds = {"lead_minutes": (0, 30 * 1_440), "transfer_hours": (0, 60 * 24), "wait_days": (1, 90)}
    return Promise(
        cut_off=cut_off,
        **{
            name: reader.number(found[name], (*path, name), low, high, whole=True)
            for name, (low, high) in bounds.items()
            if name in found
        },
    )


def _told(path: _Path) -> str:
    """A place in a document, as people say it."""
    names = [step for step in path if isinstance(step, str) and step != "rules"]
    return ".".join(names) or "a rule" if path else "the document"


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)[:80]


def _line(node: Any, path: _Path) -> int:
    """The line of the last step of a path that is in the text."""
    line = int(node.start_mark.line) + 1 if node is not None else 1
    for step in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = int(node.start_mark.line) + 1
        elif isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(step)), None)
            if pair is None:
                break
            line, node = int(pair[0].start_mark.line) + 1, pair[1]
        else:
            break
    return line
