"""People for readers: find one, see who belongs to it and why, and try other rules."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from cauce.engines.api import Reader
from cauce.errors import DefinitionInvalid, NotFound
from cauce.identity import bulk, store
from cauce.identity.bulk import Difference, DryRun, Side
from cauce.identity.devices import attribute
from cauce.identity.evidence import SourceOf
from cauce.identity.graph import Graph
from cauce.identity.partition import (
    CONTESTED,
    SHARED,
    SUPPORT_MAX,
    Frame,
    Known,
    Link,
    Rulings,
    UnionFind,
    Verdict,
    Why,
    judge,
)
from cauce.identity.rules import Rules, identifier_id, parse_identifier
from cauce.identity.rulings import (
    ERASED,
    JOINED,
    PAIR_DECISIONS,
    REFUSED,
    RULES_APPLIED,
    Decision,
    id_from_text,
    id_of,
    named_in,
    renewed,
    settle,
    text_of,
)
from cauce.model import Event, Identifier

__all__ = [
    "Crowd",
    "Decision",
    "Difference",
    "DryRun",
    "Evidence",
    "Explanation",
    "Growth",
    "Hop",
    "Meeting",
    "Member",
    "People",
    "Person",
    "QueueEntry",
    "Rules",
    "Version",
    "Why",
    "attribute",
    "id_from_text",
    "parse_identifier",
    "text_of",
]

LINKS_MAX = 1_000
STEPS_MAX = 20_000


class Member(msgspec.Struct, frozen=True):
    """An identifier of a person; `shared`: a household's or a device's, so it is alone."""

    id: int
    kind: str
    value: str
    first_occurred: int
    known_since: int
    shared: bool

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class Growth(msgspec.Struct, frozen=True):
    """People and identifiers, now and new since a moment.

    Each merge makes one person of two, so `identifiers - people` is the number of merges. `joined_new` are the new
    identifiers that belong to somebody who has another one, older.
    """

    identifiers: int
    people: int
    people_new: int
    joined_new: int


class Person(msgspec.Struct, frozen=True):
    """A person and its identifiers, oldest first."""

    id: int
    identifiers: tuple[Member, ...]

    @property
    def text(self) -> str:
        """The id as shown: `p_` and 13 characters."""
        return text_of(self.id)


class Evidence(msgspec.Struct, frozen=True):
    """Why two identifiers may belong together: the earliest event that named both, or a steward's word.

    `support` counts events up to 4. `rule` is the event's type, or *steward*.
    `joined` says whether the two are together by it, `why` and `detail` why not.
    """

    a: str
    b: str
    rule: str
    support: int
    occurred: int
    source: str
    event: str
    position: int
    known_since: int
    joined: bool
    why: Why
    detail: str

    @property
    def in_words(self) -> str:
        """One sentence for people."""
        if self.rule == "steward":
            return f"{self.source} said that {self.a} and {self.b} belong together"
        several = "or more " if self.support >= SUPPORT_MAX else ""
        times = f"{self.support} {several}events" if self.support > 1 else "one event"
        told = f"{times} named {self.a} and {self.b}, first {self.event} of {self.source}"
        return told if self.joined else f"{told}; not joined: {_REASONS[self.why].format(self.detail)}"


class Hop(msgspec.Struct, frozen=True):
    """One step of an explanation."""

    from_identifier: str
    to_identifier: str
    evidence: Evidence


class Explanation(msgspec.Struct, frozen=True):
    """`same`: one person. Then `hops` is the shortest chain of active evidence from `a` to `b`.

    Otherwise it is the shortest chain of links that would connect them, if there is any; the hops that are not
    joined say why they are two.
    """

    a: str
    b: str
    same: bool
    hops: tuple[Hop, ...]


class Version(msgspec.Struct, frozen=True):
    """Rules that were applied at `occurred` by `author`, at the position of that decision."""

    position: int
    occurred: int
    author: str
    rules: Rules


class Crowd(msgspec.Struct, frozen=True):
    """A person who has `count` identifiers of a kind, of which the rules allow `limit`."""

    person: int
    kind: str
    count: int
    limit: int


class Meeting(msgspec.Struct, frozen=True):
    """Two people who became one: today's person, the ids of the two identifiers, and the evidence that joined them."""

    person: int
    low: int
    high: int
    evidence: Evidence


class QueueEntry(msgspec.Struct, frozen=True):
    """Something for a steward: *oversize* (too many identifiers hang together), *overruled* (a join that a refusal
    forbids) or *contested* (links that rules kept from joining)."""

    reason: str
    identifiers: tuple[str, ...]
    identifiers_total: int
    evidence: tuple[Evidence, ...] = ()


_REASONS = {
    Why.JOINED: "",
    Why.LIMIT: "more {} identifiers than the limit allows",
    Why.UNIQUE: "two different {} values",
    Why.REFUSAL: "a steward said that they are two people",
    Why.SHARED: "{} is shared by several people",
    Why.KIND: "{} joins nobody",
    Why.OVERSIZE: "too many identifiers hang together",
    Why.RETRACTED: "a steward retracted the link",
}


class People:
    """What can be asked of identity, as the reader sees it. `rules` hold until a decision applied others."""

    def __init__(
        self,
        reader: Reader,
        secret: bytes,
        rules: Rules | None = None,
        *,
        source_of: SourceOf | None = None,
        component_identifiers_max: int = 2_000,
        graph: Graph | None = None,
    ) -> None:
        self._reader = reader
        self.graph = graph or Graph(reader)
        self._secret = secret
        self._default_rules = rules
        self._source_of = source_of
        self.component_identifiers_max = component_identifiers_max
        self._rules: Rules | None = None
        self._version = -1

    # -- everybody ----------------------------------------------------------------------------------------------

    def placements(self) -> Iterator[tuple[int, int, int]]:
        """(identifier id, person id, component) of every identifier."""
        return ((known.id, known.person, known.component) for known in store.all_identifiers(self._reader))

    def recomputed(self, batches: Iterable[Iterable[Any]]) -> Iterator[tuple[int, int, int]]:
        """What `placements` should be, put together anew from all stored events (`Archive.scan()`)."""
        rebuilt = bulk.rebuild(
            batches,
            self.rules,
            self.graph.decisions().values(),
            self._secret,
            source_of=self._source_of,
            erasures=store.erasures(self._reader),
            component_identifiers_max=self.component_identifiers_max,
        )
        return ((known.id, known.person, known.component) for known in rebuilt.known.values())

    # -- finding ------------------------------------------------------------------------------------------------

    def versions(self, limit: int = 100) -> list[Version]:
        """The rules that were applied, the present ones first."""
        return [
            Version(position, occurred, author, Rules.from_dict(msgspec.json.decode(body)))
            for position, occurred, author, body in store.rules_rows(self._reader, limit)
        ]

    @property
    def rules_position(self) -> int:
        """Position of the decision that applied the present rules, 0 when they are the packaged ones."""
        return store.rules_version(self._reader)

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        version = store.rules_version(self._reader)
        if self._rules is None or version != self._version:
            self._rules = store.rules(self._reader) or self._default_rules or Rules.default()
            self._version = version
        return self._rules

    def find(self, kind: str, value: str, region: str = "") -> Person | None:
        """The person that an identifier belongs to, its value as anyone writes it; None when it was never seen."""
        normalised = self.rules.normalise(Identifier(kind, value), region)
        return None if normalised is None else self.person(identifier_id(kind, normalised, self._secret))

    def person(self, person_id: int) -> Person | None:
        """The living person of an id: its own, one that was merged into it, or that of any of its identifiers."""
        group = self.graph.group(person_id)
        return Person(group[0].person, tuple(map(_member, group))) if group else None

    def locate(self, text: str) -> Person:
        """The person that `kind:value` or a person id names; NotFound when there is none."""
        number = id_of(text, self.rules, self._secret)
        found = None if number is None else self.person(number)
        if found is None:
            raise NotFound(f"nobody is known by {text!r}")
        return found

    def identifier(self, named: str | int) -> Member:
        """The identifier that `kind:value` or an id names, a person's id its oldest; NotFound when never seen."""
        number = id_of(named, self.rules, self._secret)
        found = self.graph.identifiers([number]) if number is not None else []
        if not found:
            raise NotFound(f"no identifier {named!r} was ever seen")
        return _member(found[0])

    def members(self, person_id: int) -> tuple[Member, ...]:
        """The identifiers of a person, oldest first; of the living one when the id was merged away; () when unknown."""
        return tuple(_member(known) for known in self.graph.group(person_id))

    def counts(self) -> dict[str, int]:
        """How many identifiers, people and links there are."""
        return dict(zip(("identifiers", "people", "links"), store.counts(self._reader), strict=True))

    def growth(self, since: int) -> Growth:
        """How many people there are, and how they became more or fewer since a moment. Looks at every identifier."""
        return Growth(*store.growth(self._reader, since))

    def clusters(self, limit: int = 20) -> list[tuple[int, int]]:
        """(person id, identifiers) of the people with most identifiers."""
        return store.largest_people(self._reader, limit)

    def crowded(self, limit: int = 50) -> list[Crowd]:
        """People who have as many identifiers of a kind as its limit allows: the next one will be kept apart.

        Only kinds with a limit for ever: what a limit within some days leaves out changes with time.
        """
        limits = {
            kind.name: kind.limit for kind in self.rules.kinds.values() if kind.limit > 1 and not kind.window_days
        }
        if not limits:
            return []
        rows = store.crowded(self._reader, sorted(limits), min(limits.values()), 10 * limit)
        full = [Crowd(person, kind, count, limits[kind]) for person, kind, count in rows if count >= limits[kind]]
        return full[:limit]

    def meetings(self, limit: int = 50) -> list[Meeting]:
        """The latest events by which two who were known before became one person, newest first.

        Looked for among the latest links; both identifiers had been seen, and nothing else had joined them.
        """
        found: list[Meeting] = []
        for link in store.latest_links(self._reader, LINKS_MAX):
            ends = {known.id: known for known in self.graph.identifiers((link.low, link.high))}
            if len(ends) < 2 or ends[link.low].person != ends[link.high].person:
                continue
            if max(known.known_since for known in ends.values()) >= link.known_since:
                continue
            meeting = _meeting(link, ends[link.low], self.graph, self._frame())
            if meeting is not None:
                found.append(meeting)
            if len(found) == limit:
                break
        return found

    def shared(self, limit: int = 100) -> list[Member]:
        """Identifiers of households and devices, earliest first."""
        return [_member(known) for known in store.with_flag(self._reader, SHARED, limit)]

    # -- many at once -------------------------------------------------------------------------------------------

    def identifiers_of(self, ids: Iterable[int]) -> list[Member]:
        """The identifiers that still exist of those, in order of id."""
        return sorted(map(_member, self.graph.identifiers(ids)), key=lambda member: member.id)

    def identifiers_after(self, id: int, limit: int) -> list[Member]:
        """The next identifiers of all, in order of id: for going through everybody bit by bit."""
        return [_member(known) for known in store.identifiers_after(self._reader, id, limit)]

    def owners(self, ids: Iterable[int]) -> dict[int, int]:
        """Today's person of each identifier that exists."""
        return {known.id: known.person for known in self.graph.identifiers(ids)}

    def recognised(self, value: str, kinds: Iterable[str] = (), region: str = "") -> list[Member]:
        """The known identifiers that a value as anyone writes it is, whatever their kind; most personal first.

        Of the kinds that the rules name, and of `kinds` besides.
        """
        rules = self.rules
        ids = {
            identifier_id(kind, normalised, self._secret)
            for kind in {*rules.kinds, *kinds}
            if (normalised := rules.normalise(Identifier(kind, value), region)) is not None
        }
        return sorted(self.identifiers_of(ids), key=lambda member: (-rules.kind(member.kind).priority, member.id))

    def named_in(self, decision: Event) -> tuple[int, ...]:
        """Ids of the identifiers that a decision names."""
        return named_in(decision, self.rules, self._secret)

    # -- explaining ---------------------------------------------------------------------------------------------

    def links(self, person_id: int, limit: int = LINKS_MAX) -> list[Evidence]:
        """The links of a person's identifiers, joined or not and why; strongest first, at most `limit`."""
        group = self.graph.group(person_id)
        if not group:
            return []
        nodes, links = self.graph.around(group)
        frame = self._frame()
        own = {known.id for known in group}
        verdicts = judge(nodes, links, frame)
        found = [link for link in links if link.low in own or link.high in own]
        found.sort(key=lambda link: (verdicts[link.low, link.high].why != Why.JOINED, -link.support, link.occurred))
        return [_evidence(link, nodes, verdicts[link.low, link.high]) for link in found[:limit]]

    def explain(self, a: str | int, b: str | int) -> Explanation:
        """Why two identifiers (`kind:value`, a person id or an id) are one person, or what keeps them apart.

        NotFound when one of them was never seen.
        """
        one, other = self.identifier(a), self.identifier(b)
        nodes, links = self.graph.around([*self.graph.group(one.id), *self.graph.group(other.id)])
        frame = self._frame()
        same = nodes[one.id].person == nodes[other.id].person
        verdicts = judge(nodes, links, frame)
        edges: dict[int, list[tuple[int, Evidence]]] = {}
        for link in links:
            verdict = verdicts[link.low, link.high]
            if verdict.why is Why.JOINED or (not same and verdict.why is not Why.RETRACTED):
                _connect(edges, link.low, link.high, _evidence(link, nodes, verdict))
        for decision in self.decisions():
            if _holds(decision, frame.rulings):
                _connect(edges, decision.low, decision.high, _word(decision, nodes))
        hops = _shortest(edges, one.id, other.id)
        names = {id: f"{known.kind}:{known.value}" for id, known in nodes.items()}
        return Explanation(str(one), str(other), same, _named(hops, one.id, names))

    # -- stewards -----------------------------------------------------------------------------------------------

    def decisions(self) -> list[Decision]:
        """Stewards' words about pairs that hold, in the order in which they were said."""
        found = [decision for decision in self.graph.decisions().values() if decision.active]
        return sorted(found, key=lambda decision: decision.position)

    def refusals(self) -> list[Decision]:
        """Pairs that stewards said are two people."""
        return [decision for decision in self.decisions() if decision.what == REFUSED]

    def queue(self, limit: int = 50) -> list[QueueEntry]:
        """What stewards should look at, largest trouble first."""
        entries = _oversize(self.graph) + _overruled(self.decisions())
        flagged = store.with_flag(self._reader, CONTESTED, 10 * limit)
        return (entries + _contested(flagged, self.graph, self._frame(), limit))[:limit]

    def validate(self, name: str, properties: Mapping[str, Any]) -> None:
        """DefinitionInvalid when an identity decision of this name and properties would do nothing."""
        if name == RULES_APPLIED:
            Rules.from_dict(properties.get("rules"))
        elif name in PAIR_DECISIONS:
            ids = [id_of(properties.get(side), self.rules, self._secret) for side in ("a", "b")]
            for side, found in zip(("a", "b"), ids, strict=True):
                if found is None:
                    raise DefinitionInvalid(
                        f"expected {side} to name a usable identifier, got {properties.get(side)!r}",
                        hint="Write kind:value or a person id such as p_0000000000000",
                    )
            if ids[0] == ids[1]:
                raise DefinitionInvalid(f"expected two identifiers, got {properties.get('a')!r} twice")
        elif name == ERASED:
            named = properties.get("identifiers")
            if not isinstance(named, list | tuple) or not named:
                raise DefinitionInvalid(f"expected identifiers to be a list that is not empty, got {named!r}")

    def dry_run(self, new_rules: Rules, batches: Iterable[Iterable[Any]], *, worst: int = 20) -> DryRun:
        """What `new_rules` would do to the people of all stored events (`Archive.scan()`); changes nothing."""
        rules = self.rules
        decisions = list(self.graph.decisions().values())
        then = [found for decision in decisions if (found := renewed(decision, new_rules, self._secret))]
        return bulk.dry_run(
            batches,
            Side(rules, decisions),
            Side(new_rules, then),
            self._secret,
            source_of=self._source_of,
            erasures=store.erasures(self._reader),
            component_identifiers_max=self.component_identifiers_max,
            worst=worst,
        )

    # -- inner --------------------------------------------------------------------------------------------------

    def _frame(self) -> Frame:
        rulings = settle(self.graph.decisions().values())
        return Frame(self.rules, rulings, self.component_identifiers_max)


def _meeting(link: Link, known: Known, graph: Graph, frame: Frame) -> Meeting | None:
    """What a link put together, when its ends hung together by nothing older."""
    nodes, links = graph.around(graph.group(known.id))
    verdict = judge(nodes, links, frame)
    sets = UnionFind()
    for other in links:
        joined = verdict[other.low, other.high].why is Why.JOINED
        if joined and (other.known_since, other.id) < (link.known_since, link.id):
            sets.union(other.low, other.high)
    own = verdict[link.low, link.high]
    if own.why is not Why.JOINED or sets.root(link.low) == sets.root(link.high):
        return None
    return Meeting(known.person, link.low, link.high, _evidence(link, nodes, own))


def _oversize(graph: Graph) -> list[QueueEntry]:
    nodes = {known.id: known for known in graph.components([0])}
    sets = UnionFind()
    for link in graph.links_of(nodes):
        if link.low in nodes and link.high in nodes:
            sets.union(link.low, link.high)
    groups: dict[int, list[Known]] = {}
    for known in nodes.values():
        groups.setdefault(sets.root(known.id), []).append(known)
    ordered = sorted(groups.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    return [
        QueueEntry("oversize", tuple(str(_member(known)) for known in group[: bulk.IDENTIFIERS_SHOWN]), len(group))
        for _, group in ordered
    ]


def _overruled(decisions: Sequence[Decision]) -> list[QueueEntry]:
    overruled = settle(decisions).overruled
    return [
        QueueEntry("overruled", (decision.a, decision.b), 2)
        for decision in decisions
        if decision.what == JOINED and (decision.low, decision.high) in overruled
    ]


def _contested(flagged: Iterable[Known], graph: Graph, frame: Frame, limit: int) -> list[QueueEntry]:
    entries = []
    for component in dict.fromkeys(known.component for known in flagged if known.component):
        members = graph.components([component])
        nodes, links = graph.around(members)
        verdicts = judge(nodes, links, frame)
        kept = [
            _evidence(link, nodes, verdicts[link.low, link.high])
            for link in links
            if verdicts[link.low, link.high].why in (Why.LIMIT, Why.UNIQUE)
        ]
        if kept:
            names = tuple(str(_member(known)) for known in members[: bulk.IDENTIFIERS_SHOWN])
            entries.append(QueueEntry("contested", names, len(members), tuple(kept[: bulk.IDENTIFIERS_SHOWN])))
        if len(entries) == limit:
            break
    return sorted(entries, key=lambda entry: -len(entry.evidence))


def _member(known: Known) -> Member:
    return Member(
        known.id, known.kind, known.value, known.first_occurred, known.known_since, bool(known.flags & SHARED)
    )


def _name(id: int, nodes: Mapping[int, Known]) -> str:
    return f"{nodes[id].kind}:{nodes[id].value}" if id in nodes else text_of(id)


def _evidence(link: Link, nodes: Mapping[int, Known], verdict: Verdict) -> Evidence:
    return Evidence(
        _name(link.low, nodes), _name(link.high, nodes), link.rule, link.support, link.occurred, link.source,
        link.event, link.position, link.known_since, verdict.why is Why.JOINED, verdict.why, verdict.detail,
    )  # fmt: skip


def _word(decision: Decision, nodes: Mapping[int, Known]) -> Evidence:
    return Evidence(
        _name(decision.low, nodes) if decision.low in nodes else decision.a,
        _name(decision.high, nodes) if decision.high in nodes else decision.b,
        "steward", 1, decision.occurred, decision.author or "a steward", decision.why, decision.position,
        decision.occurred, True, Why.JOINED, decision.why,
    )  # fmt: skip


def _holds(decision: Decision, rulings: Rulings) -> bool:
    """Whether a join is in force: neither replaced by a later refusal nor forbidden by one."""
    head = rulings.together.get(decision.low)
    return decision.what == JOINED and head is not None and head == rulings.together.get(decision.high)


def _connect(edges: dict[int, list[tuple[int, Evidence]]], a: int, b: int, evidence: Evidence) -> None:
    edges.setdefault(a, []).append((b, evidence))
    edges.setdefault(b, []).append((a, evidence))


def _shortest(edges: Mapping[int, Sequence[tuple[int, Evidence]]], start: int, end: int) -> list[tuple[int, Evidence]]:
    """Breadth first: (identifier reached, evidence) from `start` to `end`; strongest evidence first among equals."""
    came: dict[int, tuple[int, Evidence]] = {}
    waiting = deque([start])
    seen = {start}
    while waiting and end not in seen and len(seen) < STEPS_MAX:
        here = waiting.popleft()
        for there, evidence in sorted(
            edges.get(here, ()), key=lambda edge: (not edge[1].joined, -edge[1].support, edge[0])
        ):
            if there not in seen:
                seen.add(there)
                came[there] = (here, evidence)
                waiting.append(there)
    path: list[tuple[int, Evidence]] = []
    here = end
    while here in came:
        before, evidence = came[here]
        path.append((here, evidence))
        here = before
    return path[::-1]


def _named(path: Sequence[tuple[int, Evidence]], start: int, names: Mapping[int, str]) -> tuple[Hop, ...]:
    hops = []
    here = start
    for there, evidence in path:
        hops.append(Hop(names.get(here, text_of(here)), names.get(there, text_of(there)), evidence))
        here = there
    return tuple(hops)
