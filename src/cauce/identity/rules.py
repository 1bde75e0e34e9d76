"""The rules of identity: kinds, blocked values, normalisation and identifier ids. Reads nothing but its own file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from importlib import resources
from typing import Any

import msgspec
import yaml

from cauce.errors import DefinitionInvalid
from cauce.identity.kinds import CHECK_DIGITS, NORMALISERS, EmailProviders, Kind, normalised
from cauce.model import Identifier
from cauce.registry import nearest

ID_MASK = 2**63 - 1
OTHER = "other"
RECORD = "record"
KINDS_MAX = 10_000
"""Kinds that nobody named and that are remembered; more are worked out each time."""
POLICIES = ("nobody", "last_authenticated")

_TOP = ("defaults", "default_region", "shared_device", "email_providers", "sources", "blocked", "kinds")
_KIND_FIELDS = tuple(field for field in Kind.__struct_fields__ if field != "name")
_KIND_NAME = re.compile(r"[a-z0-9][a-z0-9_.\-]{0,63}")


Reading = tuple[Kind, re.Pattern[str] | None, re.Pattern[str] | None]
"""A kind, its blocked values and the pattern its values must match."""


class SharedDevice(msgspec.Struct, frozen=True):
    """Whose the later anonymous events of a shared device are: nobody's, or the last authenticated person's."""

    policy: str = "nobody"
    window_minutes: int = 30


class SourceHabits(msgspec.Struct, frozen=True):
    """What the rules say of one source, over its own settings: phone region, and whether it is a shared device."""

    region: str = ""
    shared_device: bool | None = None


def identifier_id(kind: str, value: str, secret: bytes) -> int:
    """Id of an identifier: 63 bits of BLAKE2b keyed with `secret` (at most 64 bytes) over kind and value; never 0."""
    digest = blake2b(f"{kind}\x1f{value}".encode("utf-8", "surrogatepass"), digest_size=8, key=secret).digest()
    return int.from_bytes(digest, "big") & ID_MASK or 1


class Rules:
    """A checked set of rules, immutable; `Rules.from_dict` reads one, `as_dict` gives it back in full."""

    __slots__ = ("_inherited", "_readings", "blocked", "default_region", "email_providers", "kinds",
                 "shared_device", "sources")  # fmt: skip

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        *,
        blocked: tuple[str, ...] = (),
        default_region: str = "ES",
        shared_device: SharedDevice = SharedDevice(),  # noqa: B008  (frozen)
        email_providers: EmailProviders = EmailProviders(),  # noqa: B008  (frozen)
        sources: Mapping[str, SourceHabits] | None = None,
    ) -> None:
        self.kinds = dict(kinds)
        self.blocked = blocked
        self.default_region = default_region
        self.shared_device = shared_device
        self.email_providers = email_providers
        self.sources = dict(sources or {})
        self._inherited: dict[str, Kind] = {}
        self._readings: dict[str, Reading] = {
            kind.name: (
                kind,
                _any_of((*blocked, *kind.blocked)),
                re.compile(kind.pattern) if kind.pattern else None,
            )
            for kind in self.kinds.values()
        }

    @classmethod
    def default(cls) -> Rules:
        """The packaged rules."""
        return cls.from_dict({})

    @classmethod
    def from_yaml(cls, text: str) -> Rules:
        """Rules of a YAML text; DefinitionInvalid when it is none or makes no sense."""
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as fault:
            raise DefinitionInvalid(f"the identity rules are not YAML: {_problem(fault)}") from None
        return cls.from_dict({} if document is None else document)

    @classmethod
    def from_dict(cls, document: Any) -> Rules:
        """Rules of a mapping over the packaged ones (`defaults: false` begins with none).

        A kind names only the fields that differ; `blocked` adds. DefinitionInvalid lists all faults at once.
        """
        if not isinstance(document, Mapping):
            raise DefinitionInvalid(f"expected identity rules to be a mapping, got {type(document).__name__}")
        faults = [
            f"identity rules have no field {name!r}. {nearest(str(name), list(_TOP))}"
            for name in document
            if name not in _TOP
        ]
        base = _packaged() if document.get("defaults", True) else {"kinds": {OTHER: {"priority": 30, "limit": 5}}}
        merged = _merged(base, document, faults)
        kinds = {name: _kind(name, fields, faults) for name, fields in merged["kinds"].items()}
        blocked = tuple(merged.get("blocked", ()))
        _check_patterns("blocked", blocked, faults)
        shared = _section(SharedDevice, "shared_device", merged.get("shared_device", {}), faults)
        if shared.policy not in POLICIES:
            faults.append(f"expected shared_device.policy to be one of {', '.join(POLICIES)}, got {shared.policy!r}")
        if not 1 <= shared.window_minutes <= 525_600:
            faults.append(f"expected shared_device.window_minutes to be 1–525600, got {shared.window_minutes}")
        providers = _section(EmailProviders, "email_providers", merged.get("email_providers", {}), faults)
        sources = {
            str(name): _section(SourceHabits, f"sources.{name}", habits, faults)
            for name, habits in _mapping("sources", merged.get("sources"), faults).items()
        }
        region = merged.get("default_region", "ES")
        if not (isinstance(region, str) and re.fullmatch(r"[A-Z]{2}", region)):
            faults.append(f"expected default_region to be two capital letters such as ES, got {region!r}")
        if faults:
            raise DefinitionInvalid("; ".join(faults))
        return cls(
            kinds,
            blocked=blocked,
            default_region=region,
            shared_device=shared,
            email_providers=providers,
            sources=sources,
        )

    def as_dict(self) -> dict[str, Any]:
        """The rules in full; `from_dict` of it gives equal rules."""
        kinds = {}
        for name, kind in self.kinds.items():
            kinds[name] = {field: value for field, value in msgspec.to_builtins(kind).items() if field != "name"}
        return {
            "defaults": False,
            "default_region": self.default_region,
            "shared_device": msgspec.to_builtins(self.shared_device),
            "email_providers": msgspec.to_builtins(self.email_providers),
            "sources": msgspec.to_builtins(self.sources),
            "blocked": list(self.blocked),
            "kinds": kinds,
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rules) and self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]

    def same_evidence(self, other: Rules) -> bool:
        """Whether events give the same identifiers, subjects and links under both, so that only groups can differ."""
        mine, theirs = self.as_dict(), other.as_dict()
        for document in (mine, theirs):
            document.pop("shared_device")
            for kind in document["kinds"].values():
                for field in ("unique", "limit", "window_days"):
                    kind.pop(field)
        return mine == theirs

    def kind(self, name: str) -> Kind:
        """The rules of a kind; of a kind that nobody named, those of `record` (for `record.…`) or of `other`."""
        found = self.kinds.get(name)
        if found is not None:
            return found
        found = self._inherited.get(name)
        if found is None:
            found = msgspec.structs.replace(self.kinds[self._parent(name)], name=name)
            if len(self._inherited) < KINDS_MAX:
                self._inherited[name] = found
        return found

    def normalise(self, identifier: Identifier, region: str = "") -> str | None:
        """The value in the form its kind knows; None when it is blocked, malformed, empty or too long.

        `region` (ISO 3166) reads national phone numbers; empty for the rules' default.
        """
        raw = identifier.value
        if not identifier.kind or not isinstance(raw, str):
            return None
        kind, blocked, pattern = self._readings.get(identifier.kind) or self._reading(identifier.kind)
        value = normalised(kind, raw, region or self.default_region, self.email_providers)
        if value is None or (pattern is not None and not pattern.fullmatch(value)):
            return None
        if blocked is not None:
            raw = raw.strip()
            if blocked.fullmatch(value) or (raw != value and blocked.fullmatch(raw)):
                return None
        return value

    def _reading(self, name: str) -> Reading:
        """Kind, blocked values and pattern of a kind that nobody named."""
        found = (self.kind(name), *self._readings[self._parent(name)][1:])
        if len(self._readings) < KINDS_MAX:
            self._readings[name] = found
        return found

    def _parent(self, name: str) -> str:
        return RECORD if name.startswith(f"{RECORD}.") and RECORD in self.kinds else OTHER


def parse_identifier(text: str) -> Identifier:
    """The identifier that a text `kind:value` names; DefinitionInvalid when it names none."""
    kind, colon, value = text.partition(":")
    if not colon or not kind.strip() or not value.strip():
        raise DefinitionInvalid(
            f"expected an identifier written kind:value, got {text!r}", hint="For instance email:ana@tienda.es"
        )
    return Identifier(kind.strip(), value.strip())


def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    if not patterns:
        return None
    # Each pattern keeps its own back references: \1 of the n-th pattern would otherwise count earlier groups.
    renumbered, groups = [], 0
    for pattern in patterns:
        renumbered.append(_renumbered(pattern, groups))
        groups += re.compile(pattern).groups
    return re.compile("|".join(f"(?:{pattern})" for pattern in renumbered), re.IGNORECASE)


def _renumbered(pattern: str, groups: int) -> str:
    return re.sub(r"\\(\d)", lambda found: f"\\{int(found[1]) + groups}", pattern)


@cache
def _packaged() -> dict[str, Any]:
    """Read once; nobody changes it."""
    text = resources.files("cauce.identity").joinpath("default_rules.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def _merged(base: dict[str, Any], document: Mapping[str, Any], faults: list[str]) -> dict[str, Any]:
    kinds = _mapping("kinds", document.get("kinds"), faults)
    merged = {**base, **{name: document[name] for name in _TOP if name in document and name != "kinds"}}
    blocked = document.get("blocked") or ()
    if not isinstance(blocked, list | tuple):
        faults.append(f"expected blocked to be a list of regular expressions, got {blocked!r}")
        blocked = ()
    merged["blocked"] = [*base.get("blocked", ()), *blocked]
    merged["kinds"] = dict(base["kinds"])
    for name, fields in kinds.items():
        if not isinstance(fields, Mapping):
            faults.append(f"expected kinds.{name} to be a mapping of fields, got {fields!r}")
            continue
        start = base["kinds"].get(name, {**base["kinds"].get(OTHER, {}), "blocked": ()})
        merged["kinds"][str(name)] = {**start, **fields}
    return merged


def _problem(fault: yaml.YAMLError) -> str:
    """What is wrong with a YAML text, and in which line (from 1)."""
    mark = getattr(fault, "problem_mark", None)
    problem = str(getattr(fault, "problem", None) or fault).splitlines()[0]
    return f"{problem}, in line {mark.line + 1}" if mark else problem


def _mapping(place: str, value: Any, faults: list[str]) -> Mapping[Any, Any]:
    if value is None or isinstance(value, Mapping):
        return value or {}
    faults.append(f"expected {place} to be a mapping, got {value!r}")
    return {}


def _kind(name: str, fields: Mapping[str, Any], faults: list[str]) -> Kind:
    place = f"kinds.{name}"
    if not _KIND_NAME.fullmatch(name):
        faults.append(f"expected {place} to be named in lower case letters, digits and _ . -, without a colon")
    known = {field: value for field, value in fields.items() if field in _KIND_FIELDS}
    faults.extend(
        f"{place} has no field {field!r}. {nearest(str(field), list(_KIND_FIELDS))}"
        for field in fields
        if field not in known
    )
    try:
        kind = msgspec.convert({"priority": 30, **known, "name": name}, Kind)
    except msgspec.ValidationError as fault:
        faults.append(f"{place}: {fault}")
        return Kind(name=name, priority=0)
    for field, low, high in (("priority", 1, 1_000), ("limit", 0, 10_000), ("window_days", 0, 36_500)):
        if not low <= getattr(kind, field) <= high:
            faults.append(f"expected {place}.{field} to be {low}–{high}, got {getattr(kind, field)}")
    if kind.normaliser not in NORMALISERS:
        faults.append(f"expected {place}.normaliser to be one of {', '.join(NORMALISERS)}, got {kind.normaliser!r}")
    if kind.check_digit and kind.check_digit not in CHECK_DIGITS:
        faults.append(
            f"expected {place}.check_digit to be one of {', '.join(CHECK_DIGITS)} or empty, got {kind.check_digit!r}"
        )
    _check_patterns(f"{place}.blocked", kind.blocked, faults)
    _check_patterns(f"{place}.pattern", (kind.pattern,) if kind.pattern else (), faults)
    return kind


def _section(shape: Any, name: str, fields: Any, faults: list[str]) -> Any:
    strangers = (
        [field for field in fields if field not in shape.__struct_fields__] if isinstance(fields, Mapping) else []
    )
    faults.extend(
        f"{name} has no field {field!r}. {nearest(str(field), list(shape.__struct_fields__))}" for field in strangers
    )
    try:
        return msgspec.convert(fields, shape)
    except msgspec.ValidationError as fault:
        faults.append(f"{name}: {fault}")
        return shape()


def _check_patterns(place: str, patterns: tuple[str, ...], faults: list[str]) -> None:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except (re.error, TypeError) as fault:
            faults.append(f"expected {place} to hold regular expressions, got {pattern!r}: {fault}")
