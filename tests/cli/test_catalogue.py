"""`cauce catalogue`: files in and out, what is refused and where it is kept, ids of channels."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cauce.cli.main import main
from cauce.testing.world.products import check_digit, gtin

pytestmark = pytest.mark.soak

PRODUCTS = f"""sku,product,name:es,name:en,gtin,brand,category,option:color,id:shopify,price:EUR,unit
ABR-1,ABR,Abrigo azul,Blue coat,{gtin(1)},Duna,Mujer > Abrigos,azul,44021 44022,129.95,piece
ABR-2,ABR,Abrigo rojo,Red coat,{gtin(2)},Duna,Mujer > Abrigos,rojo,44023,129.95,H87
QUE-1,,Queso curado,,,Olmo,Comida,,,18.90,kg
"""
PRICES = """sku,channel,currency,amount,start,until
ABR-1,web,EUR,99.95,2026-11-27,2026-11-30
ABR-1,,JPY,21000,,
"""
PLACES = f"""id,name,kind,gln,city,country,latitude,longitude,zone,hours,special_days,roles,bays
S01,Gran Vía,store,{"841234500001" + check_digit("841234500001")},Madrid,ES,40.42,-3.70,Europe/Madrid,\
"Mo-Fr 10:00-14:00,17:00-21:00; Sa 10:00-01:00",12-25 off (Navidad); 2026-12-24 10:00-14:00,sells picks_up,A1; A2
W01,Almacén,warehouse,,Getafe,ES,,,Europe/Madrid,24/7,,ships,
"""


def call(data: Path, *words: str, status: int = 0) -> Result:
    result = CliRunner().invoke(main, ["--data", str(data), "catalogue", *words])
    assert result.exit_code == status, f"{result.output}{result.exception!r}"
    return result


def answer(data: Path, *words: str, status: int = 0) -> Any:
    return json.loads(call(data, *words, "--json", status=status).stdout)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, text in (("products", PRODUCTS), ("prices", PRICES), ("places", PLACES)):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    folder = tmp_path / "data"
    names = [str(tmp_path / f"{name}.csv") for name in ("products", "prices", "places")]
    done = answer(folder, "import", *names)
    assert [(one["table"], one["added"], one["refused"]) for one in done] == [
        ("products", 3, 0), ("prices", 0, 0), ("places", 2, 0),
    ]  # fmt: skip
    assert done[1]["changed"] == 2
    return folder


def test_products_are_found_and_shown_with_prices_and_ids(data: Path) -> None:
    assert [one["sku"] for one in answer(data, "products", "coat")] == ["ABR-1", "ABR-2"]
    assert [one["unit"] for one in answer(data, "products", "--category", "Comida")] == ["KGM"]
    for id_ in ("ABR-1", gtin(1)):
        assert answer(data, "product", id_)["options"] == {"color": "azul"}
    found = answer(data, "product", "44021", "--channel", "shopify")
    assert [(one["channel"], one["currency"], one["amount"]) for one in found["prices"]] == [
        ("", "EUR", "129.95"), ("", "JPY", "21000"), ("web", "EUR", "99.95"),
    ]  # fmt: skip
    assert "price in web: 99.95 EUR from 2026-11-27" in call(data, "product", "ABR-1").stdout
    assert "ABR-2" in call(data, "products").stdout
    assert "There is no such product" in call(data, "products", "nothing").stdout
    assert "not_found" in call(data, "product", "nothing", status=1).stderr


@pytest.mark.parametrize("sort", ["products", "prices", "places", "items"])
def test_what_was_written_out_changes_nothing_when_it_is_read_in_again(data: Path, tmp_path: Path, sort: str) -> None:
    out = tmp_path / "out.csv"
    call(data, "export", sort, str(out))
    (report,) = answer(data, "import", str(out))
    assert (report["table"], report["unchanged"], report["refused"]) == (sort, report["rows"], 0)
    assert report["rows"] > 0


def test_a_file_without_a_column_leaves_its_field_alone_and_an_empty_cell_empties_it(
    data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "some.csv"
    file.write_text("sku,brand\nABR-1,\n")
    assert answer(data, "import", str(file))[0]["changed"] == 1
    found = answer(data, "product", "ABR-1")
    assert (found["brand"], found["names"]["en"], found["category"]) == ("", "Blue coat", ["Mujer", "Abrigos"])


def test_rows_that_are_refused_are_told_with_their_lines_and_can_be_mended_where_they_are_kept(
    data: Path, tmp_path: Path
) -> None:
    wrong = gtin(3)[:-1] + str((int(gtin(3)[-1]) + 1) % 10)
    file = tmp_path / "more.csv"
    rows = [
        "sku,name:es,gtins,price:EUR",
        f"NEW-1,Nuevo,{gtin(4)},5.00",
        f"NEW-2,Otro,{wrong},5.00",
        f"NEW-3,Tercero,{gtin(1)},5.00",
        'NEW-4,"Cuarto",,5.555',
        "NEW-5,Quinto",
    ]
    file.write_text("\n".join(rows) + "\n")
    (report,) = answer(data, "import", str(file), status=1)
    assert (report["rows"], report["added"], report["refused"]) == (5, 1, 4)
    assert [fault["line"] for fault in report["faults"]] == [3, 4, 5, 6]
    said = [fault["fault"] for fault in report["faults"]]
    for words, text in zip(("check digit", "ABR-1", "2 decimals", "4 fields"), said, strict=True):
        assert words in text
    assert "line 3: expected the check digit" in call(data, "import", str(file), status=1).stdout
    kept = list(csv.DictReader(Path(report["rejects"]).read_text(encoding="utf-8").splitlines()))
    assert [row["line"] for row in kept] == ["3", "4", "5", "6"]
    mended = tmp_path / "mended.csv"
    with mended.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, kept[0].keys())
        writer.writeheader()
        writer.writerow({**kept[0], "gtins": gtin(3)})
    assert answer(data, "import", str(mended))[0]["added"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sku,name:es,colour\nA,B,C\n", "colour"),
        ("sku,name\nA,B\n", "--language"),
        ("a,b\n1,2\n", "fit no table"),
        ("sku,gtin,gtins\nA,B,C\n", "twice"),
    ],
)
def test_a_file_whose_columns_are_wrong_is_refused_as_a_whole(data: Path, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text(text)
    refused = call(data, "import", str(file), status=1)
    assert said in refused.stderr
    assert not refused.stdout


def test_columns_of_others_are_left_out_when_one_says_so(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "erp.csv"
    file.write_text("sku,name,warehouse_row\nERP-1,Silla,17\n")
    done = answer(data, "import", str(file), "--language", "es", "--ignore-other-columns")
    assert done[0]["added"] == 1
    assert answer(data, "product", "ERP-1")["names"] == {"es": "Silla"}


def test_ids_of_channels_are_mapped_and_taken_back(data: Path) -> None:
    assert answer(data, "map", "T-77", "ABR-2", "--channel", "till")["waited"] == 0
    assert answer(data, "product", "T-77", "--channel", "till")["sku"] == "ABR-2"
    answer(data, "unmap", "T-77", "--channel", "till")
    call(data, "product", "T-77", "--channel", "till", status=1)
    assert answer(data, "unknown") == []
    assert "No id waits" in call(data, "unknown").stdout
    assert "not_found" in call(data, "ignore", "T-78", status=1).stderr
    assert "not_found" in call(data, "map", "T-77", "nothing", status=1).stderr


def test_places_say_what_they_do_and_whether_they_are_open(data: Path) -> None:
    found = {one["id"]: one for one in answer(data, "places")}
    assert found["W01"]["open"] is True
    assert found["S01"]["roles"] == ["sells", "picks_up"]
    assert found["S01"]["special_days"][0]["date"] == "12-25"
    assert [one["id"] for one in answer(data, "places", "--role", "ships")] == ["W01"]
    assert "Getafe" in call(data, "places", "--kind", "warehouse").stdout


def test_what_is_retired_is_not_listed_and_can_be_taken_back(data: Path) -> None:
    answer(data, "retire", "ABR-1")
    answer(data, "retire", "--place", "W01")
    assert [one["sku"] for one in answer(data, "products", "abrigo")] == ["ABR-2"]
    assert [one["id"] for one in answer(data, "places")] == ["S01"]
    assert len(answer(data, "places", "--retired")) == 2
    assert "in use again" in call(data, "retire", "ABR-1", "--back").stdout
    assert len(answer(data, "products", "abrigo")) == 2
    call(data, "retire", status=2)
