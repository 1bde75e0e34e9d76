"""How the identifiers of a person hang together: a drawing, the same as a table, chains of evidence, decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cauce.console import drawings
from cauce.console.areas import person_words as said
from cauce.console.areas.person_parts import Subject
from cauce.console.drawings import NODES_MAX, Edge, Node
from cauce.errors import CauceError, DefinitionInvalid, NotFound
from cauce.identity.api import Decision, Evidence, Member, text_of
from cauce.profiles.api import Profile

LINKS_MAX = 300
IDENTIFIERS_LISTED = 200
UNDONE_BY = {"refused": "unsplit", "joined": "unjoin"}
EVIDENCE_SHOWN = 12
"""Pieces of evidence behind one drawn link."""


def identifiers(subject: Subject, profile: Profile, links: Sequence[Evidence]) -> dict[str, Any]:
    """Everything of the part *identifiers*."""
    members = profile.identifiers
    ring = drawn(subject, members, links)
    return {
        "members": [_member(subject, member) for member in members[:IDENTIFIERS_LISTED]],
        "members_more": max(0, len(members) - IDENTIFIERS_LISTED),
        "links": [link_shown(subject, link) for link in links],
        "links_cut": len(links) >= LINKS_MAX,
        **ring,
        "decisions": [_decision(subject, each) for each in decisions_about(subject, members)],
    }


def links_of(subject: Subject, profile: Profile) -> list[Evidence]:
    """The links of a person's identifiers; of a past moment those that were known then, joined among each other."""
    links = subject.visit.platform.people.links(subject.id, LINKS_MAX)
    if subject.moment is None:
        return links
    own = {str(member) for member in profile.identifiers}
    return [link for link in links if link.known_since <= subject.moment and own & {link.a, link.b}]


def drawn(subject: Subject, members: Sequence[Member], links: Sequence[Evidence]) -> dict[str, Any]:
    """The drawing, and per drawn link what it says: `whys`."""
    rules, words = subject.visit.platform.people.rules, subject.visit.words
    nodes = {
        str(member): Node(
            text_of(member.id),
            member.kind,
            subject.value_of(member),
            words.kind(member.kind),
            rules.kind(member.kind).priority,
            "shared" if member.shared else "own",
        )
        for member in members
    }
    for link in links:
        for name in (link.a, link.b):
            if name not in nodes:
                kind, _, value = name.partition(":")
                label = subject.shown(name).removeprefix(words.kind(kind)).strip() or value
                nodes[name] = Node(name, kind, label, words.kind(kind), rules.kind(kind).priority, "other")
    plain = [Edge(nodes[link.a].id, nodes[link.b].id, link.joined, link.support, "", "") for link in links]
    first = drawings.twins(list(nodes.values()), plain)
    chosen = _folded(subject, list(nodes.values()), first)
    by_pair: dict[tuple[str, str], list[Evidence]] = {}
    for link in links:
        one, other = (first[nodes[name].id] for name in (link.a, link.b))
        if one != other:
            by_pair.setdefault((min(one, other), max(one, other)), []).append(link)
    shown = {node.id for node in chosen}
    edges, whys = [], []
    for number, ((one, other), behind) in enumerate(sorted(by_pair.items())):
        if one in shown and other in shown:
            why = _why(subject, f"why-{number}", behind, {name: node.id for name, node in nodes.items()})
            whys.append(why)
            edges.append(
                Edge(one, other, why["joined"], max(link.support for link in behind), f"#why-{number}", why["title"])
            )
    title = subject.visit.say("Identifiers and the evidence between them")
    return {
        "ring": drawings.ring(chosen, edges, title) if edges else "",
        "whys": whys,
        "left_out": len(nodes) - sum(node.count for node in chosen),
    }


def _folded(subject: Subject, nodes: Sequence[Node], first: dict[str, str]) -> list[Node]:
    """At most `NODES_MAX` nodes, the most personal ones; those that look the same as one."""
    counts: dict[str, int] = {}
    for node in nodes:
        counts[first[node.id]] = counts.get(first[node.id], 0) + 1
    found = []
    for node in nodes:
        if first[node.id] != node.id:
            continue
        count = counts[node.id]
        label = node.label if count == 1 else subject.visit.count("%(num)s alike", "%(num)s alike", count)
        found.append(Node(node.id, node.kind, label, node.kind_name, node.rank, node.state, count))
    return sorted(found, key=lambda node: (node.state == "other", -node.rank))[:NODES_MAX]


def _why(subject: Subject, id: str, behind: Sequence[Evidence], ids: Mapping[str, str]) -> dict[str, Any]:
    """What stands behind one drawn link."""
    strongest = behind[0]
    one, other = subject.shown(strongest.a), subject.shown(strongest.b)
    joined = any(link.joined for link in behind)
    evidence = said.evidence_in_words(subject.visit.words, strongest)
    if joined:
        title = subject.visit.say("%(a)s and %(b)s: %(evidence)s", a=one, b=other, evidence=evidence)
    else:
        title = subject.visit.say("%(a)s and %(b)s are not joined: %(evidence)s", a=one, b=other, evidence=evidence)
    return {
        "id": id,
        "title": title,
        "joined": joined,
        "links": [
            {**link_shown(subject, link), "splits": _split_address(subject, link, ids)}
            for link in behind[:EVIDENCE_SHOWN]
        ],
        "more": max(0, len(behind) - EVIDENCE_SHOWN),
    }


def _split_address(subject: Subject, link: Evidence, ids: Mapping[str, str]) -> str:
    """Where a split of the two ends is previewed; "" when it cannot be."""
    visit = subject.visit
    if not link.joined or subject.moment is not None or not (subject.personal and visit.may("identity.write")):
        return ""
    return subject.address("preview", do="split", a=ids[link.a], b=ids[link.b])


def link_shown(subject: Subject, link: Evidence) -> dict[str, Any]:
    """A piece of evidence as it is shown."""
    words = subject.visit.words
    return {
        "a": subject.shown(link.a),
        "b": subject.shown(link.b),
        "rule": words.say("decided by hand") if link.rule == "steward" else words.event(link.rule),
        "source": link.source,
        "event": link.event,
        "day": words.moment(link.occurred),
        "known": words.moment(link.known_since),
        "times": said.times_in_words(words, link.support),
        "joined": link.joined,
        "apart": said.kept_apart(words, link, subject.shown(link.detail)),
    }


def _member(subject: Subject, member: Member) -> dict[str, Any]:
    words = subject.visit.words
    return {
        "id": text_of(member.id),
        "kind": words.kind(member.kind),
        "color": drawings.color_of_kind(member.kind),
        "value": subject.value_of(member),
        "since": words.short_day(member.first_occurred),
        "known": words.short_day(member.known_since),
        "shared": member.shared,
    }


def decisions_about(subject: Subject, members: Iterable[Member]) -> list[Decision]:
    """What was decided about pairs of which one belongs to this person, latest first."""
    own = {member.id for member in members}
    found = [each for each in subject.visit.platform.people.decisions() if own & {each.low, each.high}]
    return found[::-1]


def _decision(subject: Subject, decision: Decision) -> dict[str, Any]:
    words = subject.visit.words
    return {
        "undo": UNDONE_BY.get(decision.what, ""),
        "said": words.say(said.DECISIONS[decision.what]),
        "a": _named(subject, decision.low, decision.a),
        "b": _named(subject, decision.high, decision.b),
        "a_id": text_of(decision.low),
        "b_id": text_of(decision.high),
        "who": decision.author,
        "day": words.moment(decision.occurred),
        "why": decision.why if subject.personal else "",
    }


def _named(subject: Subject, id: int, text: str) -> str:
    """The identifier of a decision, as it is known; as it was written when it is not known any more."""
    try:
        return subject.shown(str(subject.visit.platform.people.identifier(id)))
    except NotFound:
        return subject.shown(text)


def located(subject: Subject, text: str) -> Member:
    """The identifier that a form names: by its id, by a person's id (its oldest), or as `kind:value`.

    DefinitionInvalid when nothing is named, NotFound when it was never seen. What was written is not told back: it may
    be a personal value.
    """
    if not text.strip():
        raise DefinitionInvalid(subject.visit.say("expected an identifier"))
    try:
        return subject.visit.platform.people.identifier(text.strip()[:600])
    except CauceError:
        raise NotFound(subject.visit.say("nobody is known by this identifier")) from None


def explained(subject: Subject) -> dict[str, Any]:
    """The chain of evidence between two chosen identifiers, or what keeps them apart."""
    query = subject.visit.query
    one, other = located(subject, query.get("a", "")), located(subject, query.get("b", ""))
    if one.id == other.id:
        raise DefinitionInvalid(subject.visit.say("expected two different identifiers"))
    found = subject.visit.platform.people.explain(one.id, other.id)
    return {
        "a": subject.shown(found.a),
        "b": subject.shown(found.b),
        "same": found.same,
        "hops": [
            {
                "from": subject.shown(hop.from_identifier),
                "to": subject.shown(hop.to_identifier),
                **{name: value for name, value in link_shown(subject, hop.evidence).items() if name not in ("a", "b")},
            }
            for hop in found.hops
        ],
    }
