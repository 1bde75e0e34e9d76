"""Places in the console: listed, shown with their week, changed, closed for good."""

from __future__ import annotations

import pytest

from cauce.commerce.catalogue import api

HOSTILE = '<script>alert("x")</script>'
NEW = {
    "is_new": "yes", "version": "0", "id": "S99", "name": "Cádiz", "kind": "store", "gln": "", "street": "",
    "city": "Cádiz",
    "postal_code": "", "region": "", "country": "ES", "latitude": "36,53", "longitude": "-6.29",
    "zone": "Europe/Madrid", "hours_Mo": "10:00-14:00, 17:00-21:00", "hours_Sa": "22:00-02:00",
    "special_days": "12-25 off (Navidad)\n2026-12-24 10:00-14:00", "role_sells": "yes", "bays": "A1, A2",
}  # fmt: skip


def test_places_are_listed_by_what_they_do(seat):
    client = seat.client("store_staff", language="es")
    text = client.page("/places")
    assert "Madrid Gran Vía" in text
    assert "almacén" in text
    assert "Madrid Gran Vía" not in client.page("/places?kind=warehouse")
    assert "Almacén central" not in client.page("/places?role=picks_up")
    assert "Ningún lugar cumple" in client.page("/places?kind=counter")


def test_a_place_shows_its_week_and_special_days(seat):
    text = seat.client("analyst").page("/places/at/D01")
    assert text.count('class="day"') == 7
    for shown in ("09:00–02:00", "Europe/Madrid", "R1, R2", "openstreetmap.org", "dark store"):
        assert shown in text
    assert 'action="/places/retire"' not in text
    spanish = seat.client("analyst", language="es").page("/places/at/S01")
    for shown in ("25 de diciembre", "todos los años", "Navidad", "cerrado"):
        assert shown in spanish
    seat.client().page("/places/at/nowhere", 404)


def test_a_place_is_added_and_changed(own_seat):
    client, rows = own_seat.client("engineer"), own_seat.platform.commerce
    answer = client.send("/places/edit", page="/places/new", **NEW)
    assert (answer.status_code, answer.headers["location"]) == (303, "/places/at/S99")
    found = api.need_place(rows, "S99")
    assert [(one.weekday, one.opens, one.closes) for one in found.hours] == [
        (1, "10:00", "14:00"), (1, "17:00", "21:00"), (6, "22:00", "02:00"),
    ]  # fmt: skip
    assert (found.position, found.roles, found.bays) == (api.Position(36.53, -6.29), ("sells",), ("A1", "A2"))
    assert [day.date for day in found.special_days] == ["12-25", "2026-12-24"]
    form = {**NEW, "version": "1", "role_ships": "yes", "hours_Sa": ""}
    del form["is_new"]
    assert client.send("/places/edit", page="/places/edit?id=S99", **form).status_code == 303
    assert api.need_place(rows, "S99").roles == ("sells", "ships")
    stale = client.send("/places/edit", page="/places/edit?id=S99", **form)
    assert (stale.status_code, "changed since" in stale.text) == (422, True)
    actions = [entry.action for entry in own_seat.platform.audit.entries().entries]
    assert actions.count("catalogue.place_put") == 2


def test_what_the_form_shows_is_what_is_there(own_seat):
    """Saving every place as its form shows it changes none."""
    client, rows = own_seat.client(), own_seat.platform.commerce
    from cauce.console.areas.places import ROLES, _written  # noqa: PLC0415 the form's own words

    for place in api.places(rows):
        written = _written(place)
        ticked = {f"role_{role}": "yes" for role in ROLES if role in place.roles}
        form = {**written, **ticked, "id": place.id, "version": str(place.version)}
        assert client.send("/places/edit", page=f"/places/edit?id={place.id}", **form).status_code == 303
        assert api.need_place(rows, place.id) == place


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"hours_Mo": "10:00-14:00, 13:00-15:00"}, "not to overlap"),
        ({"hours_Mo": "10 to 14"}, "spans such as"),
        ({"special_days": "Christmas"}, "a date such as"),
        ({"zone": "Madrid"}, "time zone"),
        ({"gln": "1234567890123"}, "check digit"),
        ({"latitude": "north"}, "degrees"),
        ({"country": "Spain"}, "ISO 3166"),
        ({"id": "S01"}, "changed since"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_written_stays(seat, fields, said):
    answer = seat.client().send("/places/edit", page="/places/new", **{**NEW, "street": HOSTILE, **fields})
    assert answer.status_code == 422
    assert said in answer.text
    assert HOSTILE not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert api.place(seat.platform.commerce, "S99") is None
    spoken = seat.client(language="es").send("/places/edit", page="/places/new", **{**NEW, **fields})
    assert said not in spoken.text or said in ("ISO 3166",)


def test_a_place_is_closed_for_good_and_used_again(own_seat):
    client = own_seat.client()
    client.send("/places/retire", page="/places/at/S05", id="S05", retired="yes")
    assert "Valencia" not in client.page("/places")
    assert "Valencia" in client.page("/places?retired=yes")
    client.send("/places/retire", page="/places/at/S05", id="S05", retired="no")
    assert "Valencia" in client.page("/places")


@pytest.mark.parametrize("path", ["/places/edit", "/places/retire"])
def test_who_may_only_look_changes_nothing(seat, path):
    assert seat.client("store_staff").send(path, page="/places", **NEW).status_code == 403


def test_an_empty_installation_says_how_to_begin(empty_seat):
    assert "cauce catalogue import places.csv" in empty_seat.client().page("/places")
