"""The pick-up desk and the page of the person, without a browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cauce.app import Platform
from cauce.commerce.catalogue.api import Product
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.fulfilment import api
from tests.console import desk
from tests.console.seat import Seat, seated

PICKUPS = "/pickups"


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A desk on a busy morning, made once: its folder and its orders."""
    folder = tmp_path_factory.mktemp("morning") / "data"
    with Platform.open(folder) as platform:
        orders = desk.busy(platform)
        platform.commerce.do(api.ChooseDesk(by="the-store_staff", desk="MAD"))
    return folder, orders


@pytest.fixture
def busy(morning: tuple[Path, dict[str, str]], tmp_path: Path) -> Iterator[tuple[Seat, dict[str, str]]]:
    """The same, to be changed."""
    shutil.copytree(morning[0], tmp_path / "data")
    with seated(tmp_path / "data") as seat:
        yield seat, morning[1]


def test_the_store_is_chosen_once_and_kept(busy):
    seat, _ = busy
    client = seat.client("store_staff")
    assert client.send("/pickups/store", page=PICKUPS, place="TOL").headers["location"] == PICKUPS
    assert '<option value="TOL" selected>' in client.page(PICKUPS)
    assert client.send("/pickups/store", page=PICKUPS, place="MAD").status_code == 303
    assert '<option value="MAD" selected>' in seat.client("store_staff").page(PICKUPS)
    assert "Which store is yours?" in seat.client("agent").page(PICKUPS)
    assert seat.client("store_staff").send("/pickups/store", page=PICKUPS, place="nowhere").status_code == 404


def test_who_waits_is_seen_with_bay_and_vehicle(busy):
    seat, orders = busy
    text = seat.client("store_staff", language="es").page(PICKUPS)
    assert "Eva Sanz" in text
    assert "Plaza 3" in text
    assert "Seat rojo 1234 KLM" in text
    assert "Carmen Vidal" not in text
    assert orders["curbside"] in seat.client("store_staff").page("/pickups/waiting")


def test_the_barcode_of_goods_leads_to_the_order_they_lie_ready_for(busy):
    seat, _ = busy
    client = seat.client("store_staff")
    commerce = seat.platform.commerce
    found = [seen for seen in api.pickups(commerce, "MAD", state="ready") if seen.lines[0].ready]
    sku = found[0].lines[0].sku
    commerce.do(PutProduct(product=Product(sku=sku, names={"en": "Coat"}, gtins=("8412345678905",))))
    having = [seen.order for seen in found if any(line.sku == sku and line.ready for line in seen.lines)]
    answer = client.send("/pickups/find", page=PICKUPS, code="8412345678905")
    wanted = f"/pickups/orders/{having[0]}" if len(having) == 1 else "/pickups/ready"
    assert (answer.status_code, answer.headers["location"]) == (303, wanted)
    none = client.send("/pickups/find", page=PICKUPS, code="8412345678912")
    assert (none.status_code, "lies ready here" in none.text) == (422, True)


def test_a_code_shows_what_to_fetch_and_then_opens_once(busy):
    seat, orders = busy
    client = seat.client("store_staff")
    code = desk.code_of(seat.platform, orders["ready"])
    answer = client.send("/pickups/find", page=PICKUPS, code=code.lower(), key="1")
    assert answer.status_code == 200
    assert "Carmen Vidal" in answer.text
    assert "The code is right." in answer.text
    page = f"/pickups/orders/{orders['ready']}"
    fields = {"order": orders["ready"], "code": code, "key": "2", "take-1": "1", "take-2": "1"}
    assert client.send("/pickups/hand-over", page=page, **fields).headers["location"] == PICKUPS
    assert client.send("/pickups/hand-over", page=PICKUPS, **fields).headers["location"] == PICKUPS
    again = client.send("/pickups/find", page=PICKUPS, code=code, key="3")
    assert again.status_code == 422
    assert "a code works once" in again.text
    assert len(api.hand_overs(seat.platform.commerce, api.order_id(seat.platform.commerce, orders["ready"]))) == 1


def test_wrong_codes_say_so_and_are_counted(busy):
    seat, _ = busy
    client = seat.client("store_staff")
    assert "typing error" in client.send("/pickups/find", page=PICKUPS, code="7K3M-2F9D").text
    wrong = api.Keys(b"another secret").code(1, 1)
    texts = [client.send("/pickups/find", page=PICKUPS, code=wrong, key=str(n)).text for n in range(9)]
    assert "4 more may be wrong" in texts[0]
    # The first pause is a second, which a busy machine may let pass; each is twice as long as the one before.
    assert any("too many wrong codes" in text for text in texts[5:])


def test_without_a_code_an_id_and_initials(busy):
    seat, orders = busy
    client = seat.client("store_staff")
    page = f"/pickups/orders/{orders['paid_here']}"
    assert "pays €49.95 here" in client.page(page)
    fields = {"order": orders["paid_here"], "initials": "jm"}
    refused = client.send("/pickups/hand-over", page=page, key="1", **fields)
    assert refused.status_code == 422
    assert "is paid in the store" in refused.text
    assert client.send("/pickups/hand-over", page=page, key="2", receipt="T7", **fields).status_code == 303
    text = client.page(page)
    assert "(JM)" in text
    assert "receipt T7" in text


def test_a_part_is_handed_over_and_the_rest_waits_with_a_new_code(busy):
    seat, orders = busy
    client = seat.client("store_staff")
    before = desk.code_of(seat.platform, orders["ready"])
    fields = {"order": orders["ready"], "code": before, "take-1": "1", "take-2": "0", "key": "1"}
    answer = client.send("/pickups/hand-over", page=PICKUPS, **fields)
    assert answer.headers["location"] == f"/pickups/orders/{orders['ready']}"
    assert desk.code_of(seat.platform, orders["ready"]) != before
    gone = {**fields, "take-1": "9", "key": "2", "code": desk.code_of(seat.platform, orders["ready"])}
    assert client.send("/pickups/hand-over", page=PICKUPS, **gone).status_code == 422


def test_the_pick_list_is_ticked_line_by_line_and_undone(busy):
    seat, orders = busy
    client, rows = seat.client("store_staff"), seat.platform.commerce
    text = client.page("/pickups/pick")
    assert text.index("Ana Ruiz") < text.index("Luis Prado")
    fields = {"order": orders["to_pick"], "line": "1", "amount": "1"}
    for key, what, left in (("1", "picked", 1), ("1", "picked", 1), ("2", "unpick", 2)):
        answer = client.send("/pickups/pick", page="/pickups/pick", what=what, key=key, **fields)
        assert answer.status_code == 303
        task = next(task for task in api.pick_list(rows, "MAD") if task.order == orders["to_pick"])
        assert sum(1 for line in task.lines if line.to_pick) == left
    part = client.post(
        "/pickups/pick",
        data={"csrf": client.token(PICKUPS), "key": "3", **fields},
        headers={"hx-request-type": "partial"},
    )
    assert 'aria-pressed="true"' in part.text
    assert "<html" not in part.text
    assert "Grey scarf" in client.page("/pickups/pick?by=shelf")
    for bad in ({"amount": "x"}, {"amount": "-1"}, {"line": "x"}, {"order": "none"}, {"amount": "9"}):
        assert client.send("/pickups/pick", page=PICKUPS, **{**fields, **bad}).status_code in (400, 404, 409, 422)


def test_short_says_where_it_comes_from_now(busy):
    seat, orders = busy
    client = seat.client("store_staff")
    fields = {"order": orders["to_pick"], "line": "1", "amount": "1", "what": "short", "why": "not_found", "key": "1"}
    client.send("/pickups/pick", page="/pickups/pick", **fields)
    assert re.search(r"What is short of C-\d+ comes from (Toledo Zocodover|Almacén Coslada) now", client.page(PICKUPS))


def test_from_the_shelf_to_ready_and_back(busy):
    seat, orders = busy
    client = seat.client("store_staff")
    desk.picked(seat.platform, orders["to_pick"])
    assert "Ready: tell the person" in client.page("/pickups/pick")
    sent = {"order": orders["to_pick"], "key": "1", "back": "/pickups/pick"}
    assert client.send("/pickups/ready", page="/pickups/pick", **sent).headers["location"] == "/pickups/pick"
    assert "Ana Ruiz" in client.page("/pickups/ready")
    code = desk.code_of(seat.platform, orders["to_pick"])
    assert client.send("/pickups/code", page=PICKUPS, order=orders["to_pick"], key="2").status_code == 303
    assert desk.code_of(seat.platform, orders["to_pick"]) != code
    assert client.send("/pickups/missed", page=PICKUPS, order=orders["to_pick"], key="3").status_code == 303
    assert "Nothing is left to hand over" in client.page(f"/pickups/orders/{orders['to_pick']}")


def test_parcels_leave_and_arrive(busy):
    seat, orders = busy
    client = seat.client("store_staff")
    assert "Iván Gil" in client.page("/pickups/ready")
    parcel = api.pickup(seat.platform.commerce, orders["on_way"]).on_way[0]
    fields = {"order": orders["on_way"], "origin": parcel.place, "key": "1"}
    assert client.send("/pickups/ready", page="/pickups/ready", **fields).status_code == 303
    assert api.pickup(seat.platform.commerce, orders["on_way"]).state == "ready"


def test_the_person_sees_the_code_and_says_that_they_are_here(busy):
    seat, orders = busy
    link = desk.link_of(seat.platform, orders["ready"])
    person = seat.client("", language="es")
    text = person.page(link)
    code = desk.code_of(seat.platform, orders["ready"])
    assert api.codes.shown(code) in text
    assert "Gran Vía 32" in text
    drawn = person.get(f"{link}/code.svg")
    assert (drawn.headers["content-type"], drawn.text[:4]) == ("image/svg+xml", "<svg")
    assert person.get(f"{link}/code.png").content[:4] == b"\x89PNG"
    assert person.send(f"{link}/here", page=link, key="1").status_code == 303
    assert "Sabemos que ha llegado" in person.page(link)
    assert "Carmen Vidal" in seat.client("store_staff").page("/pickups/waiting")
    person.page(f"{link}/code.gif", 404)


def test_nobody_gets_a_code_without_the_link(busy):
    seat, orders = busy
    link = desk.link_of(seat.platform, orders["ready"])
    stranger = seat.client("")
    for wrong in ("/collect/x", link[:-1] + ("A" if link[-1] != "A" else "B"), f"/collect/{'A' * 300}"):
        stranger.page(wrong, 404)
        stranger.page(f"{wrong}/code.svg", 404)
    code = desk.code_of(seat.platform, orders["ready"])
    staff = seat.client("store_staff")
    for page in (PICKUPS, "/pickups/ready", f"/pickups/orders/{orders['ready']}", "/pickups/pick"):
        text = staff.page(page)
        assert code not in text
        assert link not in text
    assert stranger.get(PICKUPS, follow_redirects=False).status_code == 303


def test_a_code_is_not_there_before_the_goods_are(busy):
    seat, orders = busy
    link = desk.link_of(seat.platform, orders["also_to_pick"])
    assert "We are preparing your order" in seat.client("").page(link)
    seat.client("").page(f"{link}/code.svg", 404)


def test_the_qr_leads_staff_to_the_desk(busy):
    seat, _ = busy
    answer = seat.client("store_staff").get("/414/8412345000018?pickup=7K3M2F9C", follow_redirects=False)
    assert answer.headers["location"] == "/pickups?code=7K3M2F9C"
    assert 'value="7K3M2F9C"' in seat.client("store_staff").page("/pickups?code=7K3M2F9C")


def test_rules_are_told_tried_and_changed(busy):
    seat, _ = busy
    client = seat.client("owner", language="es")
    assert "Recogida en tienda" in client.page("/fulfilment")
    wish = {"lines": "ABR-1 2\nZAP-1", "delivery": "pick_up", "place": "TOL"}
    text = client.send("/fulfilment/try", page="/fulfilment", **wish).text
    assert "Es el elegido" in text
    assert "No es donde se recoge" in text
    assert "faltan" in client.send("/fulfilment/try", page="/fulfilment", **{**wish, "lines": "ABR-1 900"}).text.lower()
    for bad in ({"lines": ""}, {"lines": "ABR-1 x"}, {"delivery": "drone"}, {"place": "nowhere"}):
        assert 'role="alert"' in client.send("/fulfilment/try", page="/fulfilment", **{**wish, **bad}).text
    checked = client.send("/fulfilment/check", page="/fulfilment/rules", text="rules:\n- name: x\n  form: {}")
    assert 'data-goes-to-line="3"' in checked.text
    refused = client.send("/fulfilment/apply", page="/fulfilment/rules", text="rules: 3", seen="0")
    assert refused.status_code == 422
    fields = {"text": "rules: [{name: Todo}]", "why": "prueba"}
    assert client.send("/fulfilment/apply", page="/fulfilment/rules", seen="0", **fields).status_code == 303
    assert client.send("/fulfilment/apply", page="/fulfilment/rules", seen="0", **fields).status_code == 409
    assert "prueba" in client.page("/fulfilment/rules?version=1")
    client.page("/fulfilment/rules?version=7", 404)
    assert "Almacén" in client.page("/fulfilment/choices/7") or client.page("/fulfilment/choices/1")
    client.page("/fulfilment/choices/999", 404)


def test_who_may_only_read_changes_nothing(busy):
    seat, _ = busy
    client = seat.client("analyst")
    assert "The rules as text" in client.page("/fulfilment")
    assert client.send("/fulfilment/apply", page="/fulfilment", text="rules: [{name: x}]").status_code == 403
    client.page(PICKUPS, 403)
