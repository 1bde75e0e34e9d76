"""`cauce returns` at the command line: what was bought is found through the person, and taken back once."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cauce.app import Platform
from cauce.cli.main import main
from tests.console import bringing


@pytest.fixture
def store(tmp_path):
    """The data folder of a store where Ana has bought, and the number of her order."""
    folder = tmp_path / "data"
    with Platform.open(folder) as platform:
        number = bringing.furnish(platform)
    return folder, number


def cauce(folder, *words, code=0):
    answer = CliRunner().invoke(main, ["--data", str(folder), "returns", *words])
    assert answer.exit_code == code, answer.output
    return answer.output


def test_what_was_bought_comes_back_of_orders_and_receipts(store):
    folder, number = store
    person = f"email:{bringing.ANA}"
    listed = cauce(folder, "bought", person)
    assert f"order {number}" in listed
    assert f"receipt {bringing.RECEIPT} of MAD" in listed
    first = cauce(folder, "take", "TOL", "1=1/damaged", "--order", number, "--why", "size")
    assert f"1 of {number} came back. May still come back: 1 of 1, 1 of 2." in first
    assert "May still" not in cauce(folder, "take", "MAD", "1=1", "2=1", "--order", number)
    till = ("--receipt", bringing.RECEIPT, "--sold-at", "MAD", "--person", person)
    assert "2 of MAD-2-00017 came back." in cauce(folder, "take", "TOL", "ZAP-1=2", *till)
    left = json.loads(cauce(folder, "bought", person, "--json"))
    assert [(line["sku"], line["left"]) for line in left] == [("HOG-1", 1_000)]


def test_more_than_was_bought_is_refused(store):
    folder, number = store
    cauce(folder, "take", "TOL", "1=3", "--order", number, code=1)
    assert "expected LINE=AMOUNT" in cauce(folder, "take", "TOL", "one=1", "--order", number, code=1)
    assert "expected LINE=AMOUNT" in cauce(folder, "take", "TOL", "1=1/eaten", "--order", number, code=1)
    assert "expected the number of an order, or that of a receipt" in cauce(folder, "take", "TOL", "1=1", code=1)
    assert "expected the person" in cauce(folder, "take", "TOL", "ZAP-1=1", "--receipt", "R", code=1)
