"""Computed traits, live: a definition compiled once, so that an event pays only for the traits that read it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cauce.model import DAY, Event
from cauce.profiles import rules
from cauce.profiles.definitions import ROOTS, Condition, Definition
from cauce.profiles.rules import Fold, Merge, Partial

FLATTEN = ""
"""Step of a path that takes every element of an array."""
PLANS_MAX = 8_192
"""Distinct (type, name, channel) whose traits are remembered; names come from outside, so they are bounded."""

Observe = Callable[[Event], Any]
Steps = tuple[str, tuple[str, ...]]
Finish = Callable[[Partial, int], Any]

NUMERIC = ("sum", "average", "min", "max")
COUNTED = ("count", "days_since")


def steps_of(path: str) -> Steps:
    """Root (*properties*, *traits*, *context* or *event*) and steps of a path; FLATTEN follows the key of an array."""
    keys = path.split(".")
    root = keys.pop(0) if keys[0] in ROOTS and len(keys) > 1 else "properties"
    steps: list[str] = []
    for key in keys:
        steps.append(key.removesuffix("[]"))
        if key.endswith("[]"):
            steps.append(FLATTEN)
    return root, tuple(steps)


def reader_of(path: str) -> tuple[Observe, bool]:
    """A function from an event to the value under `path`, and whether that is a list of values (the path flattens)."""
    root, steps = steps_of(path)
    if root == "event":
        field = steps[0]
        return (lambda event: getattr(event, field)), False
    if FLATTEN in steps:
        return (lambda event: _all_under(getattr(event, root), steps)), True
    if len(steps) == 1:
        key = steps[0]
        if root == "properties":
            return (lambda event: event.properties.get(key)), False
        return (lambda event: getattr(event, root).get(key)), False
    return (lambda event: _under(getattr(event, root), steps)), False


def _under(value: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        if type(value) is not dict:
            return None
        value = value.get(step)
    return value


def _all_under(value: Any, steps: tuple[str, ...]) -> list[Any]:
    values = [value]
    for step in steps:
        if step == FLATTEN:
            values = [element for value in values if type(value) is list for element in value]
        else:
            values = [value[step] for value in values if type(value) is dict and step in value]
    return values


def test_of(condition: Condition) -> Callable[[Event], bool]:
    """Whether an event passes the condition."""
    read, many = reader_of(condition.property)
    passes, wanted = _predicate(condition)
    if many:
        return lambda event: any(map(passes, read(event))) is wanted
    return lambda event: passes(read(event)) is wanted


def _predicate(condition: Condition) -> tuple[Callable[[Any], bool], bool]:
    """A test of one value, and whether any value must pass it (True) or none may (False)."""
    op, wanted = condition.op, condition.value
    if op in ("eq", "ne", "in", "not_in"):
        several = wanted if isinstance(wanted, tuple) else (wanted,)
        texts = frozenset(text for text in map(rules.text_of, several) if text is not None)
        return (lambda value: rules.text_of(value) in texts), op in ("eq", "in")
    if op == "exists":
        return (lambda value: value is not None), bool(wanted)
    if op == "contains":
        return (lambda value: type(value) is str and wanted in value), True
    return _comparison(op, wanted), True


def _comparison(op: str, wanted: Any) -> Callable[[Any], bool]:
    reading: Callable[[Any], Any] = rules.micros_of
    bound = rules.micros_of(wanted)
    if isinstance(wanted, str):
        reading, bound = _string, wanted  # type: ignore[assignment]
    if bound is None:
        return lambda _value: False

    def compare(value: Any) -> bool:
        found = reading(value)
        if found is None:
            return False
        if op == "gt":
            return bool(found > bound)
        if op == "gte":
            return bool(found >= bound)
        if op == "lt":
            return bool(found < bound)
        return bool(found <= bound)

    return compare


def _string(value: Any) -> str | None:
    return value if type(value) is str else None


class Trait:
    """A compiled definition: what to observe in an event, how to fold it, how to add up and how to finish.

    `slot` is the place of its partial in a strand; `observe` gives None when the event says nothing.
    """

    __slots__ = ("definition", "fold", "merge", "observe", "slot")

    def __init__(self, definition: Definition, slot: int) -> None:
        self.definition = definition
        self.slot = slot
        self.observe: Observe = _observer(definition)
        fold, merge = _algebra(definition)
        if definition.property and definition.compute not in COUNTED and reader_of(definition.property)[1]:
            fold = _fold_many(fold)
        if definition.window_days:
            fold = rules.windowed_folder(fold, definition.window_days)
            merge = rules.windowed_merger(merge, definition.window_days)
        self.fold: Fold = fold
        self.merge: Merge = merge

    def finish(self, partial: Partial, now: int) -> Any:
        """The value at `now` (microseconds); None (0 for counts and sums) when nothing was observed."""
        definition = self.definition
        if definition.window_days and partial is not None:
            partial = rules.within_window(partial, _algebra(definition)[1], definition.window_days, now)
        if partial is None:
            return [] if definition.compute == "list" else 0 if definition.compute in ZERO else None
        return _FINISH[definition.compute](partial, now)


ZERO = ("count", "sum", "unique_count")
"""Computes that are 0 when there was nothing; *list* is empty, all others have no value."""


def _fold_many(fold: Fold) -> Fold:
    def fold_all(partial: Partial, occurred: int, values: Iterable[Any]) -> Partial:
        for value in values:
            partial = fold(partial, occurred, value)
        return partial

    return fold_all


def _algebra(definition: Definition) -> tuple[Fold, Merge]:
    if definition.compute == "list":
        return rules.latest_folder(definition.limit), rules.latest_merger(definition.limit)
    return _ALGEBRA[definition.compute]


_ALGEBRA: dict[str, tuple[Fold, Merge]] = {
    "count": (rules.fold_sum, rules.merge_sums),
    "sum": (rules.fold_sum, rules.merge_sums),
    "average": (rules.fold_average, rules.merge_averages),
    "min": (rules.fold_minimum, min),
    "max": (rules.fold_maximum, max),
    "first": (rules.fold_first, min),
    "last": (rules.fold_last, max),
    "most_frequent": (rules.fold_sample, rules.merge_samples),
    "unique_count": (rules.fold_sample, rules.merge_samples),
    "days_since": (rules.fold_moment, max),
}

_FINISH: dict[str, Finish] = {
    "count": lambda partial, _now: partial,
    "sum": lambda partial, _now: rules.number_of(partial),
    "average": lambda partial, _now: partial[0] / 1e6 / partial[1],
    "min": lambda partial, _now: rules.number_of(partial),
    "max": lambda partial, _now: rules.number_of(partial),
    "first": lambda partial, _now: rules.value_of(partial[1]),
    "last": lambda partial, _now: rules.value_of(partial[1]),
    "most_frequent": lambda partial, _now: rules.value_of(rules.most_frequent(partial)),
    "unique_count": lambda partial, _now: rules.unique_count(partial),
    "list": lambda partial, _now: [rules.value_of(text) for _, text in partial],
    "days_since": lambda partial, now: max(0, (now - partial) // DAY),
}


def _observer(definition: Definition) -> Observe:
    observe = _observer_of_property(definition)
    tests = tuple(map(test_of, definition.where))
    if not tests:
        return observe
    if len(tests) == 1:
        only = tests[0]
        return lambda event: observe(event) if only(event) else None
    return lambda event: observe(event) if all(test(event) for test in tests) else None


def _observer_of_property(definition: Definition) -> Observe:
    if not definition.property:
        return lambda _event: 1
    read, many = reader_of(definition.property)
    extract: Callable[[Any], Any] = rules.micros_of if definition.compute in NUMERIC else rules.text_of
    if not many:
        if definition.compute in COUNTED:
            return lambda event: None if extract(read(event)) is None else 1
        root, (key, *deeper) = steps_of(definition.property)
        if root == "properties" and not deeper:
            return lambda event: extract(event.properties.get(key))  # the usual case, with one call less
        return lambda event: extract(read(event))

    def observe_all(event: Event) -> Any:
        values = [value for value in map(extract, read(event)) if value is not None]
        return values or None

    if definition.compute in COUNTED:
        return lambda event: len(observe_all(event) or ()) or None
    return observe_all


Group = tuple[tuple[int, Fold], ...]
"""Slot and fold of the traits that observe the same in an event, so that it is read once for all of them."""
Observed = list[tuple[Group, Any]]


class Traits:
    """All compiled traits of an installation, by the events that they read."""

    def __init__(self, definitions: Iterable[tuple[int, Definition]] = ()) -> None:
        ordered = sorted(definitions, key=lambda pair: pair[0])
        self.traits = tuple(Trait(definition, slot) for slot, definition in ordered)
        self.slots = max((trait.slot + 1 for trait in self.traits), default=0)
        self._plans: dict[tuple[str, str, str], tuple[tuple[Observe, Group], ...]] = {}
        self._folds = {trait.slot: trait.fold for trait in self.traits}

    def __iter__(self) -> Iterator[Trait]:
        return iter(self.traits)

    def observe(self, event: Event) -> Observed:
        """What the event says to traits; the only place where computed traits touch data from outside."""
        plan = self._plans.get((event.type, event.name, event.channel))
        if plan is None:
            plan = self._plan(event.type, event.name, event.channel)
        found = []
        for observe, group in plan:
            value = observe(event)
            if value is not None:
                found.append((group, value))
        return found

    def group(self, slots: Iterable[int]) -> Group:
        """The traits in these slots, as the group of something that was observed for all of them."""
        return tuple((slot, self._folds[slot]) for slot in slots)

    def _plan(self, type_: str, name: str, channel: str) -> tuple[tuple[Observe, Group], ...]:
        """What to observe in events of that type, name and channel, and for which traits."""
        groups: dict[Any, list[Trait]] = {}
        for trait in self.traits:
            if reads(trait.definition, type_, name, channel):
                groups.setdefault(_observation_key(trait.definition), []).append(trait)
        plan = tuple((group[0].observe, tuple((each.slot, each.fold) for each in group)) for group in groups.values())
        if len(self._plans) >= PLANS_MAX:
            self._plans.clear()
        self._plans[type_, name, channel] = plan
        return plan


def _observation_key(definition: Definition) -> Any:
    """Equal for definitions that observe the same in an event that passes both filters."""
    kind = "number" if definition.compute in NUMERIC else "text"
    if definition.compute in COUNTED:
        kind = "count"
    return kind, definition.property, definition.where


def reads(definition: Definition, type_: str, name: str, channel: str) -> bool:
    """Whether the filters of a definition let events of that type, name and channel pass."""
    return (
        (not definition.events or name in definition.events)
        and (not definition.types or type_ in definition.types)
        and (not definition.channels or channel in definition.channels)
    )
