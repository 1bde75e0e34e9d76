"""Feeds and reports of stock: counted, compared, written; what is wrong with a row says its line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cauce.app import Platform
from cauce.app.stock_files import Wanted, compare_file, count_file, read, report_of
from cauce.cli.main import main
from cauce.commerce.catalogue.nouns import Place, Product
from cauce.commerce.catalogue.places import PutPlace
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.stock import questions
from cauce.connectors import stock_feed, ubl
from cauce.errors import DefinitionInvalid, Unreadable
from cauce.model import Source
from tests.reference import shared

GTIN, GLN = "4006381333931", "9529999999993"


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with Platform.open(tmp_path / "data") as found:
        found.commerce.do(PutPlace(place=Place(id="S1", gln=GLN, zone="Europe/Madrid")))
        found.commerce.do(PutPlace(place=Place(id="S2")))
        for sku, gtins, unit in (("A", (GTIN,), "H87"), ("H", (), "KGM")):
            found.commerce.do(PutProduct(product=Product(sku=sku, names={"en": sku}, gtins=gtins, unit=unit)))
        yield found


def file(tmp_path: Path, text: str, name: str = "feed.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def shelf(platform: Platform) -> dict[tuple[str, str], int]:
    return {(one.sku, one.place): one.free for one in questions.levels(platform.commerce.reader)}


FEED = f"""Store ID;EAN;On hand;UOM;counted at
S1;{GTIN};12;;2026-01-10T09:00:00
{GLN};{GTIN};3;;2026-01-10T09:00:00
S2;H;1,25;;2026-01-10T09:00:00Z
S1;H;400;GRM;2026-01-10T09:00:00Z
"""


def test_a_feed_is_counted_once(platform: Platform, tmp_path: Path) -> None:
    path = file(tmp_path, FEED)
    before = compare_file(platform, path, Wanted())
    assert shelf(platform) == {}
    found = count_file(platform, path, Wanted(), "ana")
    assert found.differences == before.differences
    assert shelf(platform) == {("A", "S1"): 15_000, ("H", "S1"): 400, ("H", "S2"): 1_250}
    assert found.rows == 4
    assert [one.at for one in found.differences if one.sku == "A"] == ["2026-01-10T08:00:00Z"]  # nine o'clock in Madrid
    assert count_file(platform, path, Wanted(), "ana").differences == ()
    assert compare_file(platform, path, Wanted()).differences == ()


def test_bad_rows_have_their_lines(platform: Platform, tmp_path: Path) -> None:
    rows = ["S1,A,two,", "S9,A,1,", "S1,Z,1,", ",A,1,", "S1,,1,", "S1,A,-1,", "S1,A,1,soon", "S1,A,1.0001,", "S1,A,5,"]
    text = "\n".join(["place,sku,quantity,at", *rows, "S1,A,5,2999-01-01", ""])
    found = count_file(platform, file(tmp_path, text), Wanted(), "ana")
    assert [bad.line for bad in found.bad] == [2, 3, 4, 5, 6, 7, 8, 9, 11]
    assert found.bad_rows == 9
    assert shelf(platform) == {("A", "S1"): 5_000}


@pytest.mark.parametrize("header", ["sku,quantity", "place,quantity", "place,sku", "a,b"])
def test_a_missing_column_is_named(tmp_path: Path, header: str) -> None:
    with pytest.raises(DefinitionInvalid, match="expected a column for"):
        list(read(file(tmp_path, f"{header}\n1,2\n")))


def test_names_of_columns_are_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "howto" / "stock-files.md").read_text()
    for names, _ in stock_feed.COLUMNS.values():
        assert all(f"`{name}`" in page for name in names), names


def test_a_report_goes_out_and_comes_in_again(platform: Platform, tmp_path: Path) -> None:
    count_file(platform, file(tmp_path, FEED), Wanted(), "ana")
    path = tmp_path / "report.xml"
    path.write_bytes(report_of(platform, ["S1", "S2"], "Beta Shop"))
    rows = list(read(path))
    assert {(row.place, row.item, row.amount, row.unit) for row in rows if isinstance(row, stock_feed.Counted)} == {
        ("S1", f"0{GTIN}", 15_000, ""), ("S1", "H", 400, "KGM"), ("S2", "H", 1_250, "KGM"),
    }  # fmt: skip
    assert compare_file(platform, path, Wanted()).differences == ()


@pytest.mark.reference
def test_the_example_of_the_standard() -> None:
    found = list(ubl.read(shared("payloads/ubl/UBL-InventoryReport-2.1-Example.xml").read_bytes()))
    assert [(line.items, line.quantity, line.at) for line in found] == [
        (("DD88", "SH009"), "10", "2010-04-11T23:59:59"),
        (("DA008", "TH009"), "15", "2010-04-11T23:59:59"),
        (("BA058", "DH019"), "5", "2010-04-11T23:59:59"),
    ]


@pytest.mark.parametrize(
    "body", [b"<Order/>", b"<InventoryReport", b'<!DOCTYPE a [<!ENTITY b "c">]><InventoryReport>&b;</InventoryReport>']
)
def test_what_is_no_report(body: bytes) -> None:
    with pytest.raises(Unreadable):
        list(ubl.read(body))


# -- at the command line ----------------------------------------------------------------------------------------------


def cauce(folder: Path, *words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(main, ["--data", str(folder), *words, "--json"], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_commands_from_feed_to_mended_fact(platform: Platform, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    path = file(tmp_path, FEED)
    assert len(cauce(folder, "stock", "import", str(path), "--dry-run")["differences"]) == 3
    cauce(folder, "stock", "import", str(path))
    assert cauce(folder, "commerce", "reconcile", str(path))["agrees"]
    platform.sources.add(Source("pos", "store", mode="observe"))
    receipt = {"store_id": "0042", "receipt_id": "R1", "products": [{"sku": "A", "quantity": "two"}]}
    platform.append(
        "pos", "rows", [json.dumps({"event": "Receipt Issued", "id": "m3", "properties": receipt}).encode()]
    )
    state = cauce(folder, "commerce", "facts", "follow")
    assert state["strange"] == 1
    assert not cauce(folder, "commerce", "reconcile", code=1)["agrees"]
    cauce(folder, "commerce", "facts", "name", "pos", "0042", "S1")
    cauce(folder, "commerce", "facts", "follow")
    (fact,) = cauce(folder, "commerce", "facts", "list")
    assert fact["reason"] == "amount_unreadable"
    position = str(fact["position"])
    assert cauce(folder, "commerce", "facts", "show", position)["properties"]["products"] == receipt["products"]
    assert not cauce(folder, "commerce", "facts", "retry", "--all")[0]["applied"]
    assert cauce(folder, "commerce", "facts", "mend", position, "--set", "products.0.quantity=2")["applied"]
    assert cauce(folder, "commerce", "facts", "list") == []
    assert shelf(platform)["A", "S1"] == 13_000
    assert cauce(folder, "commerce", "facts", "names")[0]["place"] == "S1"
    assert cauce(folder, "commerce", "facts", "habits", "pos", "--levels")[0]["levels"] == 1
    state = cauce(folder, "commerce", "facts", "follow", "--again")
    assert state["unfit"] == 0
    assert shelf(platform)["A", "S1"] == 13_000
    assert cauce(folder, "commerce", "facts", "status")["state"]["position"] == state["position"]
    cauce(folder, "stock", "export", str(tmp_path / "out.xml"), "--place", "S1")
    assert cauce(folder, "stock", "import", str(tmp_path / "out.xml"))["differences"] == []
