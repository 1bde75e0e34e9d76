"""What the rest of Cauce says in English reaches a Spanish page in Spanish, with its values as they were."""

from __future__ import annotations

import ast
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cauce.commerce.bookings.calendar import Calendars
from cauce.commerce.fulfilment.keys import Keys
from cauce.commerce.orders.store import ORDERS
from cauce.commerce.transact.work import Work
from cauce.console.sayings import CHARACTERS_MAX, Sayings
from cauce.console.words import words_of
from cauce.engines.memory import MemoryTables
from cauce.errors import NotFound
from tests.console.sayings import Reader, sayings

pytestmark = pytest.mark.soak

SPANISH, ENGLISH = words_of("es"), words_of("en")
LEFT_IN_ENGLISH = re.compile(r"\b([Ee]xpected|no field|got|there is|cannot|Known|Did you mean|is not|named|already)\b")
QUOTED = st.text(st.characters(codec="utf-8", exclude_characters="; .:"), max_size=30).map(repr)


def test_an_f_string_is_found_with_what_it_fills_in():
    source = """
def judge(count, known):
    label = f"trait {count}"
    if count:
        raise DefinitionInvalid(f"{label}: expected one of {', '.join(known)}, got {count!r}", hint="Look again")
    faults.append("nothing at all" if known else f"{count} %")
"""
    assert set(Reader(ast.parse(source), "quality").sentences()) == {
        "%(label)s: expected one of %(known)s, got %(count)s", "trait %(count)s", "Look again",
        "nothing at all", "%(count)s %%",
    }  # fmt: skip


def test_every_sentence_of_the_sources_keeps_its_values():
    lost = []
    for sentence in sorted({text for texts in sayings().values() for _, text in texts}):
        filled = re.sub(r"%\(\w+\)s", "'7'", sentence).replace("%%", "%")
        if SPANISH.said(filled).count("'7'") != filled.count("'7'") or ENGLISH.said(filled) != filled:
            lost.append((filled, SPANISH.said(filled)))
    assert not lost


@given(limit=QUOTED, given_value=QUOTED)
def test_what_is_filled_in_stays_as_it_is(limit, given_value):
    two = Sayings([("at most %(limit)s, got %(given)s", "recibido %(given)s, como mucho %(limit)s")])
    said = f"at most {limit}, got {given_value}"
    assert two.translated(said) == f"recibido {given_value}, como mucho {limit}" or ", got " in limit


@given(st.text(max_size=400))
@example("; " * 200)
@example("expected , got " * 30)
@example("%(name)s")
def test_any_text_is_said_somehow(text):
    assert isinstance(SPANISH.said(text), str)
    assert ENGLISH.said(text) == text


def test_long_texts_stay_as_they_are():
    text = f"there is no view {'v' * CHARACTERS_MAX}"
    assert SPANISH.said(text) == text


def test_the_sentence_with_most_of_its_own_words_is_meant():
    both = Sayings([("%(a)s: %(b)s", "general %(a)s %(b)s"), ("trait: %(b)s", "rasgo: %(b)s")])
    assert both.translated("trait: x") == "rasgo: x"


def test_several_faults_and_the_faults_inside_them():
    said = (
        "trait 'spent': expected compute to be one of count, sum, got 'plus'; "
        "trait 'spent'.where[0]: expected a property; contract 'track:X': Expected `str`, got `int` - at `$.event`"
    )
    assert SPANISH.said(said) == (
        "atributo 'spent': se esperaba que compute fuese uno de count, sum, se recibió 'plus'; "
        "atributo 'spent'.where[0]: falta property; "
        "contrato 'track:X': se esperaba `texto`, se recibió `número entero`, en `$.event`"
    )


def test_a_sentence_with_its_hint():
    assert SPANISH.said("there is no view 'event'. Did you mean 'events'?") == (
        "no hay ninguna vista 'event'. ¿Quizá 'events'?"
    )


DEFINITIONS = {
    "contract": ("type: treck\nevent: X\n", "event: 7\n", "type: track\nevnt: X\n", "a: [", "- 1\n", "", "&a b: *a\n"),
    "trait": (
        "name: spent\ncompute: plus\n", "name: S\ncompute: sum\n", "name: a\ncompute: count\nwindow_days: 0\n",
        "name: a\ncompute: count\nwhere: [{property: x, op: is}]\n", "7", "nme: a\n",
        "name: a\ncompute: sum\nproperty: event.x\n",
    ),
    "survivorship": ("default: newest\n", "[1]", "traits: 7\n", "traits: {email: {rule: source_order}}\n"),
}  # fmt: skip


@pytest.mark.parametrize(("sort", "text"), [(sort, text) for sort, texts in DEFINITIONS.items() for text in texts])
def test_faults_of_definitions_are_in_spanish(seat, sort, text):
    client = seat.client("engineer", language="es")
    page = f"/definitions/new?sort={sort}"
    answer = client.send("/definitions/check", page=page, sort=sort, text=text)
    assert answer.status_code == 200
    assert not LEFT_IN_ENGLISH.search(re.sub(r"<[^>]+>", " ", answer.text)), answer.text


RULES = (
    "kinds: {Email!: {priority: 1}}", "kinds: {email: {priorty: 1}}", "kinds: {email: {priority: 0}}", "kinds: 7",
    "blocked: 7",
    "kinds: {email: {priority: x}}", "default_region: Spain", "shared_device: {policy: none}", "{", "7",
    "kinds: {email: {normaliser: none}}", "kinds: {email: {blocked: ['(']}}", "colour: red",
)  # fmt: skip


@pytest.mark.parametrize("text", RULES)
def test_faults_of_identity_rules_are_in_spanish(seat, text):
    client = seat.client("steward", language="es")
    answer = client.send("/identity/rules/check", page="/identity/rules/edit", text=text)
    assert answer.status_code == 200
    said = re.sub(r"<[^>]+>", " ", answer.text)
    assert "no se puede usar" in said
    assert not LEFT_IN_ENGLISH.search(said), said


STATEMENTS = ("select * from evnts", "delete from events", "select 1; select 2", "select read_text('/etc/passwd')", "")


@pytest.mark.parametrize("statement", STATEMENTS)
def test_faults_of_statements_are_in_spanish_around_what_the_database_says(seat, statement):
    client = seat.client("analyst", language="es")
    answer = client.send("/data/run", page="/data", statement=statement)
    said = re.sub(r"<[^>]+>", " ", answer.text)
    assert re.search(r"se esperaba|no hay ninguna vista|no es SQL|no se puede ejecutar", said, re.I), said


def test_what_came_with_cauce_is_explained_in_spanish(seat):
    client = seat.client("engineer", language="es")
    assert "Se envió un correo." in client.page("/definitions")
    assert "Se envió un correo." in client.page("/definitions?q=correo")
    assert "Productos puestos en una cesta en una semana" in client.page("/definitions/trait/carts_7_days")


ADDRESSES = (
    "/people/p_0000000000000", "/sources/nosuch", "/definitions/contract/nosuch", "/definitions/nosuch/x",
    "/quarantine/7", "/quarantine/x", "/quarantine/entries?state=closed", "/identity/rules/7", "/identity/trials/x",
    "/accounts/nosuch", "/data/results/x", "/nosuch",
)  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_pages_that_are_not_there_say_so_in_spanish(seat, address):
    text = seat.client("owner", language="es").get(address).text
    said = re.sub(r"<[^>]+>", " ", text[text.index("<main") :])
    assert not LEFT_IN_ENGLISH.search(said), said


@pytest.mark.parametrize(
    "fields", [{"at": "properties", "do": "set", "value": "x", "sort": "text"}, {"patch": "[1]"}, {"patch": "{"}]
)
def test_faults_of_changes_are_in_spanish(seat, fields):
    client = seat.client("steward", language="es")
    reason = seat.platform.quality.groups()[0].code
    answer = client.send("/quarantine/mend", page=f"/quarantine/mend?reason={reason}", reason=reason, **fields)
    assert answer.status_code == 422
    said = re.sub(r"<[^>]+>", " ", answer.text[answer.text.index("<main") :])
    assert not LEFT_IN_ENGLISH.search(said), said


def test_reasons_of_every_entry_are_in_spanish(seat):
    client = seat.client("steward", language="es")
    english = re.compile(r"\b(text|number|characters|one of|at most|nothing|a value|levels|bytes|before receipt)\b")
    for group in seat.platform.quality.groups():
        text = client.page(f"/quarantine/{group.example}")
        words = " ".join(re.findall(r"(?s)<dl class=\"small\">(.*?)</dl>", text))
        assert words, group
        assert not english.search(re.sub(r"<[^>]+>", " ", words)), words


def _no_order() -> None:
    tables = MemoryTables()
    tables.create((ORDERS.table,))
    Work(tables, 0).need(ORDERS, 7)


@pytest.mark.parametrize(
    "fails",
    [lambda: Keys(b"s" * 32).links.opened("AAAA", 0), lambda: Calendars(b"s" * 32).opened("AAAA", 0), _no_order],
)
def test_links_and_rows_that_are_missing_are_said_with_their_own_noun(fails):
    with pytest.raises(NotFound) as missing:
        fails()
    spanish = SPANISH.said(str(missing.value))
    assert spanish.startswith("no ")
    assert not re.search(r"there|pick-up|calendar |order|link|whole", spanish)
