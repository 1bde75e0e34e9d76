"""Events are called by the words of who reads, and keep their names where they are asked for."""

from __future__ import annotations

import pytest

from cauce.console.event_names import EVENTS
from cauce.console.words import words_of
from cauce.quality.starter import starter_contracts


def test_every_event_of_the_vocabulary_has_a_name_of_its_own_in_spanish():
    words = words_of("es")
    names = {contract.event for contract in starter_contracts() if contract.event}
    assert len(names) > 90
    assert names <= EVENTS.keys()
    spoken = {name: words.event(name) for name in EVENTS}
    assert len(set(spoken.values())) == len(spoken), "two events with one name could not be told apart"
    assert all(spoken[name] != name for name in EVENTS)
    assert all(words_of("en").event(name) == name for name in EVENTS)


@pytest.mark.parametrize("name", ["Basket Weighed", "", "<b>page</b>"])
def test_a_name_that_nobody_knows_stays(name):
    assert words_of("es").event(name) == name


def test_identifiers_are_told_with_their_kind():
    words = words_of("es")
    assert words.identifier("email:ana@tienda.es") == "correo ana@tienda.es"
    assert words.identifier("x:ana:1") == "X ana:1"
    assert words.identifier("p_1b5jkbzjv95da") == "p_1b5jkbzjv95da"


def test_one_event_is_told_in_the_singular():
    assert words_of("es").fate("stored") == "almacenados"
    assert words_of("es").fate_of_one("stored") == "almacenado"


def test_the_timeline_speaks_spanish_and_names_the_event_as_it_is_asked_for(shop):
    person = shop.platform.people.locate("email:ana@tienda.es").text
    spanish = shop.client("agent", language="es")
    assert '<option value="Receipt Issued">Tique de compra</option>' in spanish.page(f"/people/{person}")
    found = spanish.page(f"/people/{person}/timeline?event=Receipt+Issued")
    assert "<b>Tique de compra</b>" in found
    assert '<dd class="mono">Receipt Issued</dd>' in found
    english = shop.client("agent")
    assert '<option value="Receipt Issued">Receipt Issued</option>' in english.page(f"/people/{person}")
    assert '<dd class="mono">Receipt Issued</dd>' not in english.page(f"/people/{person}/timeline?event=Receipt+Issued")
