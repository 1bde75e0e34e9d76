"""Drawings that the server makes: identifiers on a ring with the evidence between them, and bars of amounts.

No style stands in the drawings, only classes: the content security policy allows no other. What a drawing says is said
in a table beside it too, for those who do not see it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from markupsafe import Markup, escape

WIDTH = 440
"""Units of the ring's drawing; at this width its texts are readable on a phone as they are."""
ROW = 46
RING_HALF_WIDTH = 76
LABEL_CHARACTERS = 16
NODES_MAX = 48
TWINS_MIN = 4
"""So many identifiers of one kind with the same neighbours are drawn as one."""
KINDS = ("user_id", "email", "phone", "loyalty", "crm_id", "device_id", "anonymous_id", "pos_customer")
COLORS = 10


class Node(msgspec.Struct, frozen=True):
    """One identifier, or `count` of them that are drawn as one. `state` is *own*, *shared* or *other* (somebody else).

    `rank`: the greater, the more personal.
    """

    id: str
    kind: str
    label: str
    kind_name: str
    rank: int = 0
    state: str = "own"
    count: int = 1


class Edge(msgspec.Struct, frozen=True):
    """Evidence between two nodes; `href` leads to what it says, `title` says it in one sentence."""

    a: str
    b: str
    joined: bool
    support: int
    href: str
    title: str


class Point(msgspec.Struct, frozen=True):
    """Where a node stands; `side` is −1 left, 1 right of the middle."""

    x: float
    y: float
    side: int


def color_of_kind(kind: str) -> int:
    """The color number of a kind of identifier."""
    return KINDS.index(kind) if kind in KINDS else sum(kind.encode()) % COLORS


def twins(nodes: Sequence[Node], edges: Iterable[Edge]) -> dict[str, str]:
    """Node → the first of those that look the same: one kind, one state, the same neighbours.

    Only where there are at least `TWINS_MIN` of them; all others lead to themselves.
    """
    around: dict[str, set[str]] = {node.id: set() for node in nodes}
    for edge in edges:
        if edge.a in around and edge.b in around:
            around[edge.a].add(edge.b)
            around[edge.b].add(edge.a)
    alike: dict[tuple[str, str, frozenset[str]], list[str]] = {}
    for node in nodes:
        alike.setdefault((node.kind, node.state, frozenset(around[node.id])), []).append(node.id)
    found = {}
    for group in alike.values():
        for id in group:
            found[id] = group[0] if len(group) >= TWINS_MIN else id
    return found


def on_a_ring(nodes: Sequence[Node], edges: Iterable[Edge]) -> dict[str, Point]:
    """Where each node stands: neighbours beside each other, the most personal first, from the top clockwise."""
    order = _walk(nodes, edges)
    right = (len(order) + 1) // 2
    height = height_of(len(order))
    points = {}
    for index, id in enumerate(order):
        side = 1 if index < right else -1
        on_side = right if side == 1 else len(order) - right
        row = index if side == 1 else len(order) - 1 - index
        y = height / 2 + (row - (on_side - 1) / 2) * ROW
        # An ellipse, so that links between neighbours are seen too.
        share = (y - height / 2) / (height / 2)
        x = WIDTH / 2 + side * RING_HALF_WIDTH * math.sqrt(max(0.12, 1 - share * share))
        points[id] = Point(round(x, 1), round(y, 1), side)
    return points


def height_of(count: int) -> int:
    """Height of the drawing of so many nodes."""
    return ROW * max(2, (count + 1) // 2) + 24


def _walk(nodes: Sequence[Node], edges: Iterable[Edge]) -> list[str]:
    """Ids of nodes, each after one that it is linked with, where there is one: breadth first from the most personal."""
    by_id = {node.id: node for node in nodes}
    around: dict[str, list[str]] = {node.id: [] for node in nodes}
    for edge in edges:
        around[edge.a].append(edge.b)
        around[edge.b].append(edge.a)

    def first(id: str) -> tuple[bool, int, int, str]:
        node = by_id[id]
        return node.state == "other", -node.rank, -len(around[id]), node.label

    order: list[str] = []
    seen: set[str] = set()
    for start in sorted(by_id, key=first):
        waiting = [start]
        while waiting:
            here = waiting.pop(0)
            if here in seen:
                continue
            seen.add(here)
            order.append(here)
            waiting += sorted((id for id in around[here] if id not in seen), key=first)
    return order


def ring(nodes: Sequence[Node], edges: Sequence[Edge], title: str) -> Markup:
    """Nodes on a ring and links through it: thick where the evidence was seen often, dashed where it does not join.

    Every link is a hyperlink to what it says, so it is reached and opened with the keyboard.
    """
    ids = {node.id for node in nodes}
    shown = [edge for edge in edges if edge.a in ids and edge.b in ids]
    points = on_a_ring(nodes, shown)
    height = height_of(len(nodes))
    parts = [_link(edge, points, height) for edge in sorted(shown, key=lambda edge: edge.joined)]
    parts += [_dot(node, points[node.id]) for node in nodes]
    return Markup(
        '<svg class="ring" viewBox="0 0 {width} {height}" role="group" aria-label="{title}">{parts}</svg>'
    ).format(width=WIDTH, height=height, title=title, parts=Markup("").join(parts))


def _link(edge: Edge, points: Mapping[str, Point], height: int) -> Markup:
    one, other = points[edge.a], points[edge.b]
    middle_x, middle_y = WIDTH / 2, height / 2
    # Pulled towards the middle, but no further than their distance asks.
    pull = min(1.0, math.hypot(one.x - other.x, one.y - other.y) / 220)
    x = (one.x + other.x) / 2 * (1 - pull) + middle_x * pull
    y = (one.y + other.y) / 2 * (1 - pull * 0.6) + middle_y * pull * 0.6
    path = f"M{one.x:.1f} {one.y:.1f}Q{x:.1f} {y:.1f} {other.x:.1f} {other.y:.1f}"
    kind = "joined" if edge.joined else "apart"
    return Markup(
        '<a href="{href}" class="{kind} s{support}" aria-label="{title}"><title>{title}</title>'
        '<path class="hit" d="{path}"/><path class="line" d="{path}"/></a>'
    ).format(href=edge.href, kind=kind, support=max(1, min(4, edge.support)), title=edge.title, path=path)


def _dot(node: Node, point: Point) -> Markup:
    label = node.label if len(node.label) <= LABEL_CHARACTERS else node.label[: LABEL_CHARACTERS - 1] + "…"
    x = point.x + 14 * point.side
    return Markup(
        '<g class="node {state} c{color}"><circle cx="{cx}" cy="{cy}" r="{r}"/>'
        '<text x="{x}" y="{y1}" class="{anchor}">{label}<title>{full}</title></text>'
        '<text x="{x}" y="{y2}" class="{anchor} kind">{kind}</text></g>'
    ).format(
        state=node.state,
        color=color_of_kind(node.kind),
        cx=point.x,
        cy=point.y,
        r=10 if node.count > 1 else 7,
        x=round(x, 1),
        y1=round(point.y - 1, 1),
        y2=round(point.y + 13, 1),
        anchor="right" if point.side == 1 else "left",
        label=label,
        full=node.label,
        kind=node.kind_name,
    )


def bar(share: float, color: int, title: str) -> Markup:
    """One horizontal bar, `share` of the room long (0 to 1)."""
    width = max(0.5, min(1.0, share) * 100)
    return Markup(
        '<svg class="bar c{color}" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect x="0" y="0" width="{width:.2f}" height="10"><title>{title}</title></rect></svg>'
    ).format(color=color, width=width, title=escape(title))
