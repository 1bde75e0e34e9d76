"""The real file of the example: every line arrives, and totals equal what DuckDB computes straight from the file."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import yaml

from cauce.app import Platform
from cauce.connectors import files
from cauce.model import Event, Source
from cauce.settings import Settings
from tests.connectors.bed import Bed
from tests.reference import shared

pytestmark = [pytest.mark.reference, pytest.mark.timeout(600)]

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "online_retail" / "mapping.yaml"
LINES = 541_909
TOTAL = Decimal("9747747.934")


def amount(event: Event) -> Decimal:
    total = Decimal(str(event.properties["total"]))
    return -total if event.name == "Product Returned" else total


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """What is stored after an import into a real installation."""
    settings = Settings({"data": str(tmp_path_factory.mktemp("retail"))})
    with Platform.open(settings) as platform:
        platform.sources.add(Source("online_retail", "store", region="GB", event_bytes_max=1_048_576))
        path = shared("data/online_retail/online_retail.csv.gz")
        report = files.import_file(platform, path, files.load_mapping(EXAMPLE))
        assert (report.rows, report.bad, report.skipped) == (LINES, 0, 0)
        platform.drain()
        (counts,) = (row for row in platform.quality.counts() if row["source"] == "online_retail")
        assert counts["stored"] == counts["received"] == report.events
        events = [stored.event for page in platform.archive.scan() for stored in page]
        return [event for event in events if event.source == "online_retail"]


def from_the_file(sql: str) -> list[tuple[str, Decimal]]:
    path = shared("data/online_retail/online_retail.csv.gz")
    exact = "cast(Quantity as decimal(18,0)) * cast(UnitPrice as decimal(18,4))"
    return duckdb.sql(sql.format(amount=exact, file=f"read_csv('{path}', all_varchar = true)")).fetchall()


def test_no_line_is_lost_and_cancellations_are_returns(events: list[Event]) -> None:
    products = [(event, product) for event in events for product in event.properties["products"]]
    assert len(products) == LINES
    names = Counter(event.name for event in events)
    ((invoices, cancelled),) = duckdb.sql(
        f"select count(distinct InvoiceNo), count(distinct InvoiceNo) filter (InvoiceNo like 'C%')"
        f" from read_csv('{shared('data/online_retail/online_retail.csv.gz')}', all_varchar = true)"
    ).fetchall()
    assert names == {"Product Returned": cancelled, "Receipt Issued": invoices - cancelled}
    assert all(event.properties["total"] >= 0 for event in events if event.name == "Product Returned")


def test_totals_are_exact_overall_and_per_customer(events: list[Event]) -> None:
    assert sum(map(amount, events)) == TOTAL
    per_customer: dict[str, Decimal] = defaultdict(Decimal)
    for event in events:
        customer = next((one.value for one in event.identifiers if one.kind == "pos_customer"), "")
        per_customer[customer] += amount(event)
    expected = from_the_file("select coalesce(CustomerID, ''), sum({amount}) from {file} group by 1")
    assert len(expected) == 4_373
    assert per_customer == dict(expected)


def test_products_add_up_to_the_receipt(events: list[Event]) -> None:
    for event in events:
        lines = event.properties["products"]
        assert sum(line["quantity"] * Decimal(str(line["price"])) for line in lines) == Decimal(
            str(event.properties["total"])
        )


def test_csv_and_parquet_give_the_same_events(events: list[Event], tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    files.import_file(bed, shared("data/online_retail/online_retail.parquet"), files.load_mapping(EXAMPLE))
    assert [(one.id, one.properties, one.identifiers, one.occurred) for one in bed.events] == [
        (one.id, one.properties, one.identifiers, one.occurred) for one in events
    ]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("online_retail/online_retail.csv.gz", {"pos_customer"}),
        ("retail_customers_100k/records.parquet", {"email", "phone", "loyalty"}),
        ("fake_20000/fake_20000.csv", {"email"}),
    ],
)
def test_suggestions_for_real_files_work(name: str, kinds: set[str]) -> None:
    path = shared(f"data/{name}")
    mapping = files.parse_mapping(yaml.safe_load(files.suggest_mapping(path)))
    assert {kind for kind, _ in mapping.identifiers} == kinds
    run = files.dry_run(path, mapping)
    assert run.events
    assert run.bad == []
