"""The drawing of identifiers: for two and for two hundred, complete, escaped, and said in words too."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.console.drawings import NODES_MAX, TWINS_MIN, WIDTH, Edge, Node, height_of, on_a_ring, ring, twins
from tests.console.persons import ANA, BROWSER, EVA, home, id_of, told

LABELS = st.sampled_from(["ana@tienda.es", "<b>", '"', "x" * 60, "ñ", ""])
few = settings(max_examples=40, deadline=None)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Node], list[Edge]]:
    count = draw(st.integers(2, 24))
    kinds = st.sampled_from(["user_id", "email", "anonymous_id", "odd"])
    nodes = [
        Node(str(number), draw(kinds), draw(LABELS), "kind", draw(st.integers(0, 100)), "own")
        for number in range(count)
    ]
    ends = st.integers(0, count - 1)
    pairs = draw(st.lists(st.tuples(ends, ends).filter(lambda pair: pair[0] != pair[1]), max_size=30))
    edges = [Edge(str(a), str(b), draw(st.booleans()), 1, f"#why-{n}", "<why>") for n, (a, b) in enumerate(pairs)]
    return nodes, edges


@few
@given(graphs())
def test_every_node_has_its_own_place_and_every_link_is_reached(graph):
    nodes, edges = graph
    points = on_a_ring(nodes, edges)
    assert points.keys() == {node.id for node in nodes}
    assert len({(point.x, point.y) for point in points.values()}) == len(nodes)
    height = height_of(len(nodes))
    assert all(0 < point.x < WIDTH and 0 < point.y < height for point in points.values())
    drawn = str(ring(nodes, edges, "title"))
    assert sorted(re.findall(r'<a href="([^"]*)"', drawn)) == sorted(edge.href for edge in edges)
    assert drawn.count("<circle") == len(nodes)
    assert "<why>" not in drawn
    assert "style=" not in drawn


@few
@given(graphs())
def test_twins_look_the_same(graph):
    nodes, edges = graph
    first = twins(nodes, edges)
    by_id = {node.id: node for node in nodes}
    around = {node.id: set() for node in nodes}
    for edge in edges:
        around[edge.a].add(edge.b)
        around[edge.b].add(edge.a)
    groups: dict[str, list[str]] = {}
    for id, leader in first.items():
        groups.setdefault(leader, []).append(id)
        assert around[id] == around[leader]
        assert by_id[id].kind == by_id[leader].kind
    assert all(len(group) == 1 or len(group) >= TWINS_MIN for group in groups.values())


def test_two_hundred_browsers_of_one_login_are_one_node():
    nodes = [Node("u", "user_id", "u1", "user id", 100)]
    nodes += [Node(f"b{n}", "anonymous_id", f"browser {n}", "browser", 10) for n in range(199)]
    edges = [Edge("u", f"b{n}", True, 1, "", "") for n in range(199)]
    assert len(set(twins(nodes, edges).values())) == 2 <= NODES_MAX


def test_every_line_leads_to_what_it_says(shop):
    html = shop.client("steward").page(f"{home(shop)}/identifiers")
    lines = re.findall(r'<a href="#(why-\d+)" class="joined', html)
    assert len(lines) >= 6
    for line in lines:
        section = re.search(rf'<section class="why-one" id="{line}".*?</section>', html, re.DOTALL)
        assert section
        text = told(section[0])
        for part in ("Seen", "First on", "Source", "Rule", "Event", "Known since"):
            assert part in text


def test_the_table_says_everything_that_the_drawing_shows(shop):
    html = shop.client("steward").page(f"{home(shop)}/identifiers")
    text = told(html[html.index("As a table") :])
    person = shop.platform.people.locate(ANA)
    for member in person.identifiers:
        assert member.value in text
    rows = re.findall(r"<tr>", html[html.index("Evidence") :])
    assert len(rows) >= len(shop.platform.people.links(person.id))


def test_who_may_not_ask_why_sees_a_list(shop):
    html = shop.client("agent").page(f"{home(shop)}/identifiers")
    assert '<svg class="ring"' not in html
    assert "u-ana" in html
    assert "Why are they together?" not in html


def test_a_chain_of_evidence_between_two_identifiers(shop):
    asked = f"?a={id_of(shop, 'loyalty:2980001112223')}&b={id_of(shop, BROWSER)}"
    text = unescape(told(shop.client("steward").page(f"{home(shop)}/explain{asked}")))
    assert "loyalty card 2980001112223 and browser b2b2b2b2-0002 are one person" in text
    assert re.search(r"loyalty card 2980001112223 → e-mail ana@tienda.es.*e-mail ana@tienda.es → browser", text)


def test_two_people_without_evidence_between_them(shop):
    text = told(shop.client("steward").page(f"{home(shop)}/explain?a={id_of(shop, ANA)}&b={id_of(shop, EVA)}"))
    assert "are two people" in text
    assert "No evidence leads" in text


@pytest.mark.parametrize(("a", "b"), [("", ""), ("email:x@y.es", ANA), (ANA, ANA)])
def test_what_cannot_be_explained_is_refused_in_words(shop, a, b):
    answer = shop.client("steward").get(f"{home(shop)}/explain?a={a}&b={b}")
    assert answer.status_code in (400, 404, 422)
    assert "x@y.es" not in answer.text


def test_an_analyst_sees_why_without_seeing_whose(shop):
    text = told(shop.client("analyst").page(f"{home(shop)}/identifiers"))
    assert "a•••@t•••.es" in text
    assert "ana@tienda.es" not in text
    assert "4 events or more" in text or "1 event" in text
