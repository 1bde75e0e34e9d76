"""The partition of identifiers into people: a pure function of evidence, rules and rulings.

A *component* is what the joinable links alone would put together. Within it, links are tried in one canonical order
(most personal kinds first, then support, then the earliest evidence, then the key), and each joins two groups when
no limit, unique kind or refusal is broken: a constrained Kruskal. Shared identifiers join nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from cauce.identity.rules import Rules
from cauce.model import DAY

DECLARED = 1
"""Flag: seen on a source that is declared a shared device."""
SHARED = 2
"""Flag: evidence of a household or a device, never of a person."""
CONTESTED = 4
"""Flag: its component holds links that may not join, so that their order matters."""

SUPPORT_MAX = 4
"""Distinct events after which one more says nothing new about a link."""

Pair = tuple[int, int]


class Known(msgspec.Struct, gc=False):
    """An identifier with its evidence (`first_occurred`, `known_since`, DECLARED) and its place (the rest).

    Mutable: one instance per identifier in the working set. Times are microseconds. `component` 0: too large to solve;
    -1: not placed yet, which stands for a component of its own, as does `person` 0.
    """

    id: int
    kind: str
    value: str
    first_occurred: int
    known_since: int
    flags: int = 0
    component: int = -1
    person: int = 0

    def __post_init__(self) -> None:
        if self.component == -1:
            self.component = self.id
        self.person = self.person or self.id


class Link(msgspec.Struct, gc=False):
    """Two identifiers seen together: how often (at most SUPPORT_MAX), and the earliest event that says so.

    Mutable. `known_since` is when the first of its events was received; `rule` is the type of the earliest.
    """

    id: int
    low: int
    high: int
    support: int
    occurred: int
    source: str
    event: str
    position: int
    rule: str
    known_since: int


class Rulings(NamedTuple):
    """What stewards' decisions come to: see `cauce.identity.rulings.settle`."""

    together: Mapping[int, int] = {}
    """Identifier → the smallest id of those that stewards joined it with."""
    apart: Mapping[int, frozenset[int]] = {}
    retracted: Collection[Pair] = frozenset()
    overruled: Collection[Pair] = frozenset()
    """Joins that a refusal forbids."""


class Frame(NamedTuple):
    """Everything but the evidence that the partition depends on."""

    rules: Rules
    rulings: Rulings = Rulings()
    component_identifiers_max: int = 2_000


class Why(enum.StrEnum):
    """Why a link joins its two identifiers, or does not."""

    JOINED = "joined"
    LIMIT = "limit"
    UNIQUE = "unique"
    REFUSAL = "refusal"
    SHARED = "shared"
    KIND = "kind"
    OVERSIZE = "oversize"
    RETRACTED = "retracted"


class Verdict(NamedTuple):
    """`detail` names the kind whose limit or uniqueness would break, or the identifier that is shared."""

    why: Why
    detail: str = ""


class Placement(NamedTuple):
    component: int
    person: int
    flags: int


JOINED = Verdict(Why.JOINED)
RETRACTED = Verdict(Why.RETRACTED)


class UnionFind:
    """Disjoint sets of ids, with path halving; the root is the smallest id."""

    __slots__ = ("above", "parent")

    def __init__(self) -> None:
        self.parent: dict[int, int] = {}
        self.above: set[int] = set()
        """Ids that others were put under."""

    def root(self, id: int) -> int:
        parent = self.parent
        above = parent.get(id, id)
        while above != id:
            further = parent.get(above, above)
            parent[id] = further
            id, above = further, parent.get(further, further)
        return id

    def union(self, a: int, b: int) -> None:
        a, b = self.root(a), self.root(b)
        if a != b:
            small, large = (a, b) if a < b else (b, a)
            self.parent[large] = small
            self.above.add(small)


def find_shared(nodes: Mapping[int, Known], links: Iterable[Link], frame: Frame) -> set[int]:
    """Identifiers that belong to a household or a device: linked to two values of one unique kind, or declared.

    Values that a steward joined count as one; retracted links and refused pairs do not count.
    """
    rules, rulings = frame.rules, frame.rulings
    together, apart = rulings.together, rulings.apart
    seen: dict[tuple[int, str], set[int]] = {}
    for link in links:
        low, high = nodes.get(link.low), nodes.get(link.high)
        if low is None or high is None or (rulings.retracted and (link.low, link.high) in rulings.retracted):
            continue
        if low.kind == high.kind:
            continue
        low_kind, high_kind = rules.kind(low.kind), rules.kind(high.kind)
        if low_kind.unique == high_kind.unique:
            continue
        one, other = (low, high) if low_kind.unique else (high, low)
        if not (low_kind.merges and high_kind.merges) or (apart and other.id in apart.get(one.id, ())):
            continue
        seen.setdefault((other.id, one.kind), set()).add(together.get(one.id, one.id))
    shared = {id for (id, _), values in seen.items() if len(values) > 1}
    shared.update(id for id, node in nodes.items() if node.flags & DECLARED and rules.kind(node.kind).device)
    return shared


def solve(
    nodes: Mapping[int, Known],
    links: Sequence[Link],
    frame: Frame,
    *,
    sticky: Collection[int] = (),
    beyond: Mapping[int, Known] | None = None,
) -> dict[int, Placement]:
    """Where each node belongs: its component, its person, and whether it is shared or contested.

    `nodes` are whole components with all their links, except that `sticky` identifiers are known to be shared and
    come without; `beyond` are identifiers of oversize components, which are not placed again.
    The result of a part equals that part of the result of the whole.
    """
    rules, together = frame.rules, frame.rulings.together
    beyond = beyond or {}
    everybody = {**nodes, **beyond} if beyond else nodes
    shared = find_shared(everybody, links, frame)
    shared.update(sticky)
    sets = UnionFind()
    joinable: list[Link] = []
    for link in links:
        if _obstacle(link, everybody, shared, frame) is None:
            joinable.append(link)
            sets.union(link.low, link.high)
    if together:
        for id in everybody:
            if id in together:
                sets.union(id, together[id])
    oversize = {sets.root(id) for id in beyond}
    placed: dict[int, Placement] = {}
    members: dict[int, list[Known]] = {}
    for id, node in nodes.items():
        if id in sets.parent or id in sets.above:
            members.setdefault(sets.root(id), []).append(node)
        else:  # most new identifiers come alone
            placed[id] = Placement(id, id, node.flags & DECLARED | (SHARED if id in shared else 0))
    inner: dict[int, list[Link]] = {}
    for link in joinable:
        inner.setdefault(sets.root(link.low), []).append(link)
    for root, group in members.items():
        too_large = root in oversize or len(group) > frame.component_identifiers_max
        outcome = partition(group, () if too_large else inner.get(root, ()), rules, frame.rulings)
        component = 0 if too_large else min(node.id for node in group)
        contested = CONTESTED if too_large or outcome.contested else 0
        for node in group:
            flags = node.flags & DECLARED | contested | (SHARED if node.id in shared else 0)
            placed[node.id] = Placement(component, outcome.person[node.id], flags)
    return placed


def _obstacle(link: Link, nodes: Mapping[int, Known], shared: Collection[int], frame: Frame) -> Verdict | None:
    """Why a link cannot join whatever else there is; None when it can be tried."""
    rules, retracted = frame.rules, frame.rulings.retracted
    low, high = nodes.get(link.low), nodes.get(link.high)
    if retracted and (link.low, link.high) in retracted:
        return RETRACTED
    for node in (low, high):
        if node is not None and not rules.kind(node.kind).merges:
            return Verdict(Why.KIND, node.kind)
    for id, node in ((link.low, low), (link.high, high)):
        if node is None or id in shared:
            return Verdict(Why.SHARED, f"{node.kind}:{node.value}" if node else "")
    return None


class Outcome(NamedTuple):
    """`person` by identifier; `unjoined` are the links that broke something; `contested`: some order was needed."""

    person: dict[int, int]
    unjoined: dict[Pair, Verdict]
    contested: bool


def partition(members: Sequence[Known], links: Iterable[Link], rules: Rules, rulings: Rulings) -> Outcome:
    """Groups of one component: `links` are its joinable links; ids of persons are those of their oldest identifiers."""
    if len(members) == 1:
        return Outcome({members[0].id: members[0].id}, {}, False)
    steward = (rulings.together or rulings.apart) and any(
        node.id in rulings.together or node.id in rulings.apart for node in members
    )
    if links and not steward and _harmless(members, rules):
        person = min(members, key=_age).id
        return Outcome({node.id: person for node in members}, {}, False)
    groups = _Groups(members, rules, rulings)
    unjoined: dict[Pair, Verdict] = {}
    for link in sorted(links, key=_order(members, rules)):
        broken = groups.join(link.low, link.high)
        if broken is not None:
            unjoined[(link.low, link.high)] = broken
    return Outcome(groups.people(), unjoined, True)


def _age(node: Known) -> tuple[int, int]:
    return node.first_occurred, node.id


def _harmless(members: Sequence[Known], rules: Rules) -> bool:
    """Whether all members together break nothing, so that every link joins in every order."""
    counts: dict[str, int] = {}
    for node in members:
        counts[node.kind] = counts.get(node.kind, 0) + 1
    for name, count in counts.items():
        if count > 1:
            kind = rules.kind(name)
            if kind.unique or 0 < kind.limit < count:
                return False
    return True


def _order(members: Sequence[Known], rules: Rules) -> Callable[[Link], tuple[int, ...]]:
    priority = {node.id: rules.kind(node.kind).priority for node in members}

    def key(link: Link) -> tuple[int, ...]:
        low, high = priority[link.low], priority[link.high]
        least, most = (low, high) if low < high else (high, low)
        return -least, -most, -link.support, link.occurred, link.low, link.high

    return key


class _Groups:
    """Groups of a component while links are tried; stewards' joins hold from the start."""

    __slots__ = ("_members", "_rules", "_rulings", "_sets", "_times")

    def __init__(self, members: Sequence[Known], rules: Rules, rulings: Rulings) -> None:
        self._rules = rules
        self._rulings = rulings
        self._sets = UnionFind()
        for node in members:
            if node.id in rulings.together:
                self._sets.union(node.id, rulings.together[node.id])
        self._members: dict[int, list[Known]] = {}
        self._times: dict[int, dict[str, list[int]]] = {}
        for node in members:
            root = self._sets.root(node.id)
            self._members.setdefault(root, []).append(node)
            self._times.setdefault(root, {}).setdefault(node.kind, []).append(node.first_occurred)

    def join(self, a: int, b: int) -> Verdict | None:
        """Joins two groups; the verdict instead when that would break a refusal, a unique kind or a limit."""
        a, b = self._sets.root(a), self._sets.root(b)
        if a == b:
            return None
        broken = self._broken(a, b)
        if broken is not None:
            return broken
        self._sets.union(a, b)
        root = min(a, b)
        gone = max(a, b)
        self._members[root] += self._members.pop(gone)
        times = self._times[root]
        for kind, more in self._times.pop(gone).items():
            times[kind] = times[kind] + more if kind in times else more
        return None

    def _broken(self, a: int, b: int) -> Verdict | None:
        apart = self._rulings.apart
        if apart:
            others = {node.id for node in self._members[b]}
            for node in self._members[a]:
                if not others.isdisjoint(apart.get(node.id, ())):
                    return Verdict(Why.REFUSAL)
        one, other = self._times[a], self._times[b]
        for name in sorted(one.keys() & other.keys()):
            kind = self._rules.kind(name)
            if kind.unique:
                return Verdict(Why.UNIQUE, name)
            if kind.limit and exceeds(one[name] + other[name], kind.limit, kind.window_days * DAY):
                return Verdict(Why.LIMIT, name)
        return None

    def people(self) -> dict[int, int]:
        person: dict[int, int] = {}
        for group in self._members.values():
            oldest = min(group, key=_age).id
            for node in group:
                person[node.id] = oldest
        return person


def exceeds(times: Iterable[int], limit: int, window: int) -> bool:
    """Whether more than `limit` of the times lie in some half-open window of that length; 0 stands for ever."""
    ordered = sorted(times)
    if not window:
        return len(ordered) > limit
    return any(ordered[index + limit] - ordered[index] < window for index in range(len(ordered) - limit))


def judge(nodes: Mapping[int, Known], links: Iterable[Link], frame: Frame) -> dict[Pair, Verdict]:
    """Why each link joins or not; `nodes` are placed already and hold both ends of every link."""
    verdicts: dict[Pair, Verdict] = {}
    by_component: dict[int, list[Link]] = {}
    shared = {id for id, node in nodes.items() if node.flags & SHARED}
    for link in links:
        pair = (link.low, link.high)
        obstacle = _obstacle(link, nodes, shared, frame)
        if obstacle is not None:
            verdicts[pair] = obstacle
        elif nodes[link.low].component == 0:
            same = nodes[link.low].person == nodes[link.high].person
            verdicts[pair] = JOINED if same else Verdict(Why.OVERSIZE)
        else:
            verdicts[pair] = JOINED
            by_component.setdefault(nodes[link.low].component, []).append(link)
    members: dict[int, list[Known]] = {}
    for node in nodes.values():
        members.setdefault(node.component, []).append(node)
    for component, inner in by_component.items():
        verdicts.update(partition(members[component], inner, frame.rules, frame.rulings).unjoined)
    return verdicts
