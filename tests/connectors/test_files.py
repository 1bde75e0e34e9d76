from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import zipfile
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cauce.connectors import files
from cauce.connectors.tabular import loading, mapping, shaping, values
from cauce.connectors.tabular.reading import Broken, Options, open_sheet
from cauce.connectors.tabular.suggestion import _is_gtin, words_of
from cauce.errors import CauceError, DefinitionInvalid, TooLarge, Unreadable
from cauce.model import Event, Identifier, Record, Source, from_iso
from tests.connectors.bed import Bed, Interrupted

FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def mapping_of(text: str) -> files.Mapping:
    return files.parse_mapping(yaml.safe_load(text))


def imported(folder: Path, name: str, content: str | bytes, mapping: str, **options: Any) -> Bed:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    bed = Bed(folder)
    files.import_file(bed, path, mapping_of(mapping), **options)
    return bed


def rows_of(path: Path, **options: Any) -> list[tuple[int, Any]]:
    return list(open_sheet(path, Options(**options)).rows())


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────

names = st.lists(st.text("abcdefghijklmnopqrstuvwxyzáéñü", min_size=2, max_size=8), min_size=2, max_size=5, unique=True)
cells = st.text(st.sampled_from("abc XYZ019,;|'\t.-\"\n\r€ñáÜß"), max_size=12)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    columns = draw(names)
    rows = draw(st.lists(st.lists(cells, min_size=len(columns), max_size=len(columns)), max_size=8))
    return columns, rows


@given(
    table=tables(),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    newline=st.sampled_from(["\n", "\r\n"]),
    compression=st.sampled_from(["", "gz", "zst", "bz2", "xz"]),
)
@FEW
def test_any_table_in_any_dialect_is_read_back_equal(
    tmp_path: Path, table: Any, separator: str, encoding: str, quoting: int, newline: str, compression: str
) -> None:
    columns, rows = table
    if any("\r" in cell for row in rows for cell in row):
        quoting = csv.QUOTE_ALL  # Python's writer leaves a lone carriage return bare, which ends a line
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=newline)
    writer.writerow(columns)
    writer.writerows(rows)
    pack = {"": bytes, "gz": gzip.compress, "zst": zstandard.compress, "bz2": bz2.compress, "xz": lzma.compress}
    path = tmp_path / "table"
    path.write_bytes(pack[compression](text.getvalue().encode(encoding)))
    # One given thing each: an arbitrary handful of cells can look like another dialect, real files do not.
    sheet = open_sheet(path, Options(separator=separator, quote='"', encoding=encoding, header=True))
    assert sheet.columns == columns
    assert [found for _, found in sheet.rows()] == rows


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"])
def test_separator_and_encoding_are_found(tmp_path: Path, separator: str, encoding: str) -> None:
    rows = [["nombre", "ciudad", "nota"], ["Íñigo Núñez", "Málaga", "compró, y pagó; sí"], ["Zoë", "Cádiz", '5" x 2']]
    rows += [[f"José {number}", "León", "años"] for number in range(20)]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows(rows)
    path = tmp_path / "clientes.txt"
    path.write_bytes(text.getvalue().encode(encoding))
    sheet = open_sheet(path)
    assert [sheet.columns, *(found for _, found in sheet.rows())] == rows


def test_line_numbers_survive_records_of_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n"one\ntwo",1\n\nx,2\n"three\nlines\nhere",3\ny,4\n')
    assert [line for line, _ in rows_of(path)] == [2, 5, 6, 9]


def test_broken_lines_are_given_out_and_the_others_read_on(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        b'a,b\n1,2\nonly\n1,2,3\n"x"y,2\n\xff\xfe,2\n3,4\n"never closed,5\n6,7\n8,9\n' + "ñ,ñ\n".encode() * 9
    )
    found = rows_of(path, encoding="utf-8")
    assert [cells for _, cells in found if isinstance(cells, list)][:4] == [
        ["1", "2"],
        ["3", "4"],
        ["6", "7"],
        ["8", "9"],
    ]
    broken = {line: cells for line, cells in found if isinstance(cells, Broken)}
    assert {line: cells.code for line, cells in broken.items()} == {
        3: "columns_differ", 4: "columns_differ", 5: "line_broken", 6: "characters_unreadable", 8: "line_broken",
    }  # fmt: skip
    assert broken[6].raw == r"\xff\xfe,2"
    assert broken[8].raw == '"never closed,5'


def test_a_few_damaged_bytes_do_not_change_the_encoding_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"nombre,ciudad\n" + "Íñigo,Málaga\n".encode() * 50 + b"Jos\xe9,X\n")
    found = rows_of(path)
    assert found[0] == (2, ["Íñigo", "Málaga"])
    assert [line for line, cells in found if isinstance(cells, Broken)] == [52]


def test_names_with_space_numbers_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(" name ,,name\nx,y,z\n")
    assert open_sheet(path).columns == ["name", "column_2", "name_2"]
    path.write_text("12,a@b.es\n13,c@d.es\n")
    sheet = open_sheet(path)
    assert sheet.columns == ["column_1", "column_2"]
    assert [line for line, _ in sheet.rows()] == [1, 2]
    assert open_sheet(path, Options(header=["id", "mail"])).columns == ["id", "mail"]


def test_backslash_escapes_and_spaces_after_separators_are_found(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('"a","b"\n"say \\"hi\\", twice","2"\n"x","3"\n')
    assert rows_of(path)[0] == (2, ['say "hi", twice', "2"])
    path.write_text('a, b\n"1", "two, three"\n"2", "four"\n')
    assert rows_of(path)[0] == (2, ["1", "two, three"])


OBJECTS = [{"id": 1, "who": {"mail": "a@b.es"}, "tags": ["x"]}, {"id": 2.5, "new": None}, {"who": {"mail": "ñ"}}]
FLAT = [[1, "a@b.es", ["x"], None], [2.5, None, None, None], [None, "ñ", None, None]]


@pytest.mark.parametrize("indent", [None, 2])
def test_json_arrays_and_lines(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "a"
    path.write_text(json.dumps(OBJECTS, indent=indent))
    sheet = open_sheet(path)
    assert sheet.columns == ["id", "who.mail", "tags", "new"]
    assert list(sheet.rows()) == [(number, row) for number, row in enumerate(FLAT, 1)]
    path.write_text("\n\n".join(json.dumps(one) for one in OBJECTS) + "\n[1]\nnonsense\n")
    found = list(open_sheet(path).rows())
    assert [(line, cells) for line, cells in found if isinstance(cells, list)] == [
        (1, FLAT[0]),
        (3, FLAT[1]),
        (5, FLAT[2]),
    ]
    assert [line for line, cells in found if isinstance(cells, Broken)] == [6, 7]


def test_a_json_array_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"n": number, "text": "á" * 50} for number in range(400)]))
    with patch("cauce.connectors.tabular.reading.CHUNK_BYTES", 37):
        assert [row[0] for _, row in open_sheet(path).rows()] == list(range(400))
    path.write_text('[{"n": 1}, {"n": }]')
    with pytest.raises(Unreadable, match="after record 1"):
        open_sheet(path)


def test_parquet_keeps_what_types_say(tmp_path: Path) -> None:
    table = pa.table(
        {
            "number": pa.array([1, None], pa.int64()),
            "real": [1.0, 2.25],
            "money": pa.array([Decimal("1.10"), Decimal("2.00")], pa.decimal128(9, 2)),
            "when": pa.array([datetime(2024, 1, 2, 3, 4, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC")),
            "day": [date(2024, 1, 2)] * 2,
            "who": [{"mail": "a@b.es"}, {"mail": None}],
        }
    )
    pq.write_table(table, tmp_path / "a")
    sheet = open_sheet(tmp_path / "a")
    assert sheet.columns == ["number", "real", "money", "when", "day", "who.mail"]
    assert list(sheet.rows()) == [
        (1, [1, 1, "1.10", "2024-01-02T03:04:00+00:00", "2024-01-02", "a@b.es"]),
        (2, [None, 2.25, "2.00", "2024-01-02T03:04:00+00:00", "2024-01-02", None]),
    ]


def write_workbook(path: Path, sheets: dict[str, list[list[str | float]]]) -> None:
    """The smallest workbook that is one."""
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    with zipfile.ZipFile(path, "w") as archive:
        parts = "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{kinds}.worksheet+xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        archive.writestr(
            "[Content_Types].xml",
            '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>{parts}</Types>',
        )
        office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        package = "http://schemas.openxmlformats.org/package/2006/relationships"
        archive.writestr(
            "_rels/.rels",
            f'<?xml version="1.0"?><Relationships xmlns="{package}"><Relationship Id="rId1" '
            f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        listed = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1))
        archive.writestr(
            "xl/workbook.xml",
            f'<?xml version="1.0"?><workbook xmlns="{main}" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>',
        )
        targets = "".join(
            f'<Relationship Id="rId{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<?xml version="1.0"?><Relationships xmlns="{package}">{targets}</Relationships>',
        )
        for number, rows in enumerate(sheets.values(), 1):
            written = "".join(
                f'<row r="{r}">'
                + "".join(
                    f'<c r="{chr(65 + c)}{r}" t="inlineStr"><is><t>{cell}</t></is></c>'
                    if isinstance(cell, str)
                    else f'<c r="{chr(65 + c)}{r}"><v>{cell}</v></c>'
                    for c, cell in enumerate(row)
                )
                + "</row>"
                for r, row in enumerate(rows, 1)
                if row
            )
            archive.writestr(
                f"xl/worksheets/sheet{number}.xml",
                f'<?xml version="1.0"?><worksheet xmlns="{main}"><sheetData>{written}</sheetData></worksheet>',
            )


def test_excel_rows_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "book"
    write_workbook(path, {"Uno": [["id", "mail"], [17850.0, "a@b.es"], [], [3.5, "c@d.es"]], "Dos": [["x"], ["y"]]})
    sheet = open_sheet(path)
    assert sheet.columns == ["id", "mail"]
    assert list(sheet.rows()) == [(2, [17850, "a@b.es"]), (4, [3.5, "c@d.es"])]
    assert open_sheet(path, Options(sheet="Dos")).columns == ["x"]
    with pytest.raises(DefinitionInvalid, match=r"no sheet 'Tres'"):
        open_sheet(path, Options(sheet="Tres"))


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="there is no file"):
        open_sheet(tmp_path / "nothing.csv")
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" * 5_000)[:40])
    with pytest.raises(Unreadable, match="cannot be decompressed"):
        open_sheet(tmp_path / "a.gz")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(Unreadable, match="not a Parquet file"):
        open_sheet(tmp_path / "a.parquet")
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04 and nothing else")
    with pytest.raises(Unreadable, match="not a workbook"):
        open_sheet(tmp_path / "a.xlsx")
    with pytest.raises(Unreadable, match="no file matches"):
        files.matching([str(tmp_path / "*.none")])


# ── mapping ───────────────────────────────────────────────────────────────────────────────────────────────────────────

PEOPLE = """
source: crm
channel: crm
type: identify
timezone: Europe/Madrid
nulls: ["-", "NULL"]
identifiers:
  crm_id: id
  email: {column: mail, do: lower}
  phone: [mobile, phone]
occurred: {column: changed, formats: ["%d/%m/%Y %H:%M"]}
traits:
  firstName: {column: name, do: [squeeze, title]}
  birthday: {column: born, type: date, format: "%d/%m/%Y"}
  points: {column: points, type: integer}
  balance: {column: balance, type: money, decimal: ","}
  active: {column: active, type: boolean}
  tags: {column: tags, type: list, separator: "/"}
  segment: {column: segment, values: {A: best, B: good}, otherwise: rest}
  address: {concat: [street, city], separator: ", "}
skip_when: [{column: id, startswith: TEST}]
"""
HEAD = "id;mail;mobile;phone;changed;name;born;points;balance;active;tags;segment;street;city\n"
ROW = "7;A@B.es;600111222;912345678;01/07/2024 10:00; ana  maría ;31/12/1980;5;1.234,50 €;sí;x/y;B;Calle 1;León\n"


def test_a_row_becomes_what_the_mapping_says(tmp_path: Path) -> None:
    bed = imported(tmp_path, "a.csv", HEAD + ROW + "TEST1;;;;;;;;;;;;;\n", PEOPLE)
    (event,) = bed.events
    assert event.type == "identify"
    assert event.channel == "crm"
    assert event.context == {"file": {"name": "a.csv", "line": 2}}
    assert event.occurred == from_iso("2024-07-01T08:00:00Z")
    assert event.identifiers == (
        Identifier("crm_id", "7"),
        Identifier("email", "a@b.es"),
        Identifier("phone", "600111222"),
        Identifier("phone", "912345678"),
    )
    assert event.traits == {
        "firstName": "Ana María", "birthday": "1980-12-31", "points": 5, "balance": 1234.5, "active": True,
        "tags": ["x", "y"], "segment": "good", "address": "Calle 1, León",
    }  # fmt: skip


def test_empty_and_null_cells_say_nothing(tmp_path: Path) -> None:
    bed = imported(tmp_path, "a.csv", HEAD + "7;-;;;01/07/2024 10:00;NULL;;;;;;Z;;León\n", PEOPLE)
    (event,) = bed.events
    assert event.identifiers == (Identifier("crm_id", "7"),)
    assert event.traits == {"segment": "rest", "address": "León"}


def test_a_bad_cell_quarantines_its_row_with_place_and_line(tmp_path: Path) -> None:
    bad = ROW.replace("31/12/1980", "31/02/1980").replace(";5;", ";five;").replace("01/07", "32/07")
    bed = imported(tmp_path, "a.csv", HEAD + ROW + bad, PEOPLE)
    assert len(bed.events) == 1
    (item,) = bed.bad
    assert item.raw["line"] == 3
    assert item.raw["row"]["mail"] == "A@B.es"
    assert item.raw["traits"]["firstName"] == "Ana María"
    assert {(reason.code, reason.path, reason.found) for reason in item.reasons} == {
        ("value_unreadable", "/occurred", "32/07/2024 10:00"),
        ("value_unreadable", "/traits/birthday", "31/02/1980"),
        ("value_unreadable", "/traits/points", "five"),
    }


def test_a_mended_row_is_an_event_with_its_id(tmp_path: Path) -> None:
    bad = ROW.replace(";5;", ";five;").replace("01/07", "32/07")
    bed = imported(tmp_path, "a.csv", HEAD + bad, PEOPLE)
    (item,) = bed.bad
    source = Source("crm", "crm")

    def replayed(raw: dict[str, Any]) -> Any:
        (again,) = files.decode(Record(9, "crm", "files", 1, msgspec.json.encode(raw)), source)
        return again

    assert replayed(item.raw).reasons == item.reasons
    half = {**item.raw, "traits": {**item.raw["traits"], "points": 5}}
    assert [reason.path for reason in replayed(half).reasons] == ["/occurred"]
    mended = replayed({**half, "occurred": "2024-07-31T08:00:00Z"})
    assert mended.event is not None
    assert mended.event.id == item.raw["messageId"]
    assert mended.event.occurred == from_iso("2024-07-31T08:00:00Z")
    assert mended.event.traits["points"] == 5
    assert mended.event.context == {"file": {"name": "a.csv", "line": 2}}


@pytest.mark.parametrize(
    ("cell", "definition", "value"),
    [
        ("1.5", "{column: c, type: number}", 1.5),
        ("0.1", "{column: c, type: number, do: [{times: 3}]}", 0.3),
        ("1,234.50", "{column: c, type: number}", 1234.5),
        ("1.234,5", '{column: c, type: number, decimal: ","}', 1234.5),
        ("12-", "{column: c, type: integer}", -12),
        ("(3.10) EUR", "{column: c, type: money}", -3.1),
        ("-7", "{column: c, type: integer, do: abs}", 7),
        ("7", "{column: c, type: integer, do: negate}", -7),
        ("2.345", "{column: c, type: money, do: [{round: 2}]}", 2.34),
        ("00042", "c", "00042"),
        ("42", "{column: c, do: [{pad: 5}, {prefix: N}]}", "N00042"),
        ("ref AB-12 x", '{column: c, do: [{regex: "([A-Z]+)-"}, lower]}', "ab"),
        ("a-b", '{column: c, do: [{replace: ["-", "+"]}, {slice: [1, null]}]}', "+b"),
        ("+34 600", "{column: c, do: digits}", "34600"),
        ("1700000000", "{column: c, type: time, format: epoch_seconds}", "2023-11-14T22:13:20Z"),
        ("45000.5", "{column: c, type: time, format: excel, timezone: Europe/Madrid}", "2023-03-15T11:00:00Z"),
        ("x", "{constant: GBP}", "GBP"),
        ("x", "{column: empty, default: none}", "none"),
        ("x", "[{column: empty}, c]", "x"),
        ("x", "{column: c, when: {column: c, equals: x, not: true}, default: other}", "other"),
    ],
)
def test_values(tmp_path: Path, cell: str, definition: str, value: Any) -> None:
    text = f"source: s\nevent: Tested\nproperties:\n  p: {definition}\n"
    bed = imported(tmp_path, "a.csv", f'c|empty|x\n"{cell}"||z\n', text)
    assert bed.bad == []
    assert bed.events[0].properties == {"p": value}


@pytest.mark.parametrize(
    ("cell", "definition"),
    [
        ("1,5", "{column: c, type: number}"),
        ("1.5", "{column: c, type: integer}"),
        ("nan", "{column: c, type: number}"),
        ("1_000", "{column: c, type: number}"),
        ("1.5", '{column: c, type: number, decimal: ","}'),
        ("9" * 40, "{column: c, type: number}"),
        ("maybe", "{column: c, type: boolean}"),
        ("2024-13-01", "{column: c, type: date}"),
        ("Z", "{column: c, values: {A: 1}}"),
        ("x", "{column: empty, required: true}"),
    ],
)
def test_what_is_not_as_declared_is_bad(tmp_path: Path, cell: str, definition: str) -> None:
    text = f"source: s\nevent: Tested\nproperties:\n  p: {definition}\n"
    bed = imported(tmp_path, "a.csv", f'c|empty|x\n"{cell}"||z\n', text)
    assert bed.events == []
    assert [reason.path for reason in bed.bad[0].reasons] == ["/properties/p"]


@pytest.mark.parametrize(
    ("test", "chosen"),
    [
        ("equals: b", "b"), ("in: [a, c]", "ac"), ("startswith: a", "a"), ("matches: '[bc]'", "bc"),
        ("empty: true", ""), ("empty: false", "abc"), ("not: true, equals: a", "bc"),
    ],
)  # fmt: skip
def test_conditions(tmp_path: Path, test: str, chosen: str) -> None:
    text = f"source: s\nevent: E\nproperties: {{c: c}}\nskip_when: {{column: c, {test}}}\n"
    bed = imported(tmp_path, "t.csv", "c,d\na,1\nb,2\nc,3\n", text)
    assert [event.properties["c"] for event in bed.events] == [cell for cell in "abc" if cell not in chosen]


def test_numbers_and_groups_of_conditions(tmp_path: Path) -> None:
    text = """
    source: s
    event:
      - {is: Big, when: {all: [{column: n, above: 10}, {any: [{column: c, equals: x}, {column: n, above: 99}]}]}}
      - {is: Small, when: {column: n, below: 5}}
    properties: {n: {column: n, type: integer}}
    """
    bed = imported(tmp_path, "t.csv", "n,c\n11,x\n11,y\n100,y\n3,y\n", text)
    assert [(event.name, event.properties["n"]) for event in bed.events] == [("Big", 11), ("Big", 100), ("Small", 3)]
    assert [(item.raw["line"], item.reasons[0].path) for item in bed.bad] == [(3, "/event")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("source: s\nevent: E\nidentifers: {}", "no key 'identifers'. Did you mean 'identifiers'?"),
        ("source: s", "event: expected"),
        ("source: a b\nevent: E", "source: expected a name"),
        ("source: s\ntype: tracks", "type: expected one of"),
        ("source: s\nevent: E\ntimezone: Europe/Madird", "timezone: expected a time zone"),
        ("source: s\nevent: E\ntraits: {a: {colum: x}}", "Did you mean 'column'?"),
        ("source: s\nevent: E\ntraits: {a: {column: x, type: numbr}}", "Did you mean 'number'?"),
        ("source: s\nevent: E\ntraits: {a: {column: x, do: uper}}", "Did you mean 'upper'?"),
        ("source: s\nevent: E\ntraits: {a: {column: x, do: negate}}", "traits.a.do.negate: expected type integer"),
        ("source: s\nevent: E\ntraits: {a: {column: x, do: [{regex: '('}]}}", "a regular expression"),
        ("source: s\nevent: E\ntraits: {a: {sum: x}}", "totals belong to `properties`"),
        ("source: s\nevent: E\nproperties: {a: {sum: {column: x, type: text}}}", "expected numbers: a column"),
        ("source: s\nevent: E\nproducts: {properties: {a: b}}", "products.group_by: expected"),
        ("source: s\nevent: E\nskip_when: {column: a, equal: 1}", "no key 'equal'. Did you mean 'equals'?"),
        ("source: s\nevent: E\nskip_when: {column: a, below: x}", "skip_when[0].below: expected a number"),
        ("source: s\nevent: [{when: {column: a, equals: b}}]", "event[0].is: expected the name"),
        ("source: s\nevent: E\nfile: {separator: ab}", "file.separator: expected one character"),
        ("source: s\nevent: E\nfile: {format: csvv}", "Did you mean 'csv'?"),
        ("- a", "mapping: expected keys with values"),
    ],
)
def test_a_wrong_mapping_says_where_and_what(text: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as fault:
        mapping_of(text)
    assert said in str(fault.value)


def test_all_faults_of_a_mapping_are_told_at_once() -> None:
    with pytest.raises(DefinitionInvalid) as fault:
        mapping_of("sorce: s\ntype: tracks\ntimezone: x")
    assert str(fault.value).count("expected") >= 3


def test_a_column_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(
        DefinitionInvalid, match=r"identifiers.email: there is no column 'emial'. Did you mean 'email'\?"
    ):
        imported(tmp_path, "a.csv", "email,b\nx,y\n", "source: s\nevent: E\nidentifiers: {email: emial}")


def test_a_mapping_file_that_is_no_yaml(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("a: [")
    with pytest.raises(DefinitionInvalid, match=r"m\.yaml is not YAML"):
        files.load_mapping(tmp_path / "m.yaml")
    with pytest.raises(DefinitionInvalid, match="cannot be read"):
        files.load_mapping(tmp_path / "none.yaml")


# ── groups, ids, interruption ─────────────────────────────────────────────────────────────────────────────────────────

RECEIPTS = """
source: pos
channel: store
event:
  - {is: Product Returned, when: {column: ticket, startswith: C}}
  - is: Receipt Issued
identifiers: {pos_customer: customer}
occurred: {column: at}
properties:
  total: {sum: {multiply: [{column: quantity, type: integer}, {column: price, type: money}]}}
  lines: {count: rows}
  dearest: {max: {column: price, type: money}}
products:
  group_by: ticket
  properties:
    sku: sku
    quantity: {column: quantity, type: integer}
"""


def receipts(lines: list[tuple[str, str, str, str, str]]) -> str:
    rows = [
        f"{ticket},{customer},2024-01-01T10:00:00Z,{sku},{quantity},{price}"
        for ticket, customer, sku, quantity, price in lines
    ]
    return "\n".join(["ticket,customer,at,sku,quantity,price", *rows]) + "\n"


def test_rows_of_one_receipt_are_one_event_wherever_they_stand(tmp_path: Path) -> None:
    lines = [
        ("1", "", "a", "1", "0.1"),
        ("C2", "9", "b", "-1", "5"),
        ("1", "7", "c", "2", "0.1"),
        ("", "", "d", "1", "1"),
    ]
    bed = imported(tmp_path, "t.csv", receipts(lines), RECEIPTS)
    receipt, returned = bed.events
    assert receipt.name == "Receipt Issued"
    assert receipt.identifiers == (Identifier("pos_customer", "7"),)
    assert receipt.properties == {
        "total": 0.3, "lines": 2, "dearest": 0.1,
        "products": [{"sku": "a", "quantity": 1}, {"sku": "c", "quantity": 2}],
    }  # fmt: skip
    assert (returned.name, returned.properties["total"]) == ("Product Returned", -5)
    (orphan,) = bed.bad
    assert (orphan.raw["line"], orphan.reasons[0].path) == (5, "/row/ticket")


def test_a_bad_line_quarantines_the_whole_receipt(tmp_path: Path) -> None:
    bed = imported(tmp_path, "t.csv", receipts([("1", "7", "a", "1", "2"), ("1", "7", "b", "x", "2")]), RECEIPTS)
    assert bed.events == []
    assert {reason.path for reason in bed.bad[0].reasons} == {"/properties/total", "/properties/products/1/quantity"}
    assert [row["sku"] for row in bed.bad[0].raw["row"]] == ["a", "b"]


def test_a_group_without_bound_is_refused(tmp_path: Path) -> None:
    with patch.object(shaping, "GROUP_ROWS_MAX", 3), pytest.raises(TooLarge, match="expected at most 3 rows"):
        imported(tmp_path, "t.csv", receipts([("1", "7", "a", "1", "2")] * 4), RECEIPTS)


@given(seed=st.integers(0, 10**6), count=st.integers(1, 60))
@FEW
def test_groups_lose_and_double_no_line(tmp_path: Path, seed: int, count: int) -> None:
    chance = random.Random(seed)
    lines = [
        (str(chance.randrange(9) + 1), "7", chance.choice("abc"), str(chance.randrange(9)), "1.1") for _ in range(count)
    ]
    folder = tmp_path / f"{seed}-{count}"
    folder.mkdir(exist_ok=True)
    with patch.object(shaping, "LOAD_ROWS", 7):
        bed = imported(folder, "t.csv", receipts(lines), RECEIPTS, again=True)
    found = Counter(
        (product["sku"], product["quantity"]) for event in bed.events for product in event.properties["products"]
    )
    assert found == Counter((sku, int(quantity)) for _, _, sku, quantity, _ in lines)
    total = sum(Decimal(str(event.properties["total"])) for event in bed.events)
    assert total == sum(int(quantity) * Decimal("1.1") for _, _, _, quantity, _ in lines)


PLAIN = "source: s\nevent: E\nproperties: {a: a, n: {column: n, type: integer}}"


def test_identical_rows_stay_two_events_and_the_same_file_changes_nothing(tmp_path: Path) -> None:
    bed = imported(tmp_path, "t.csv", "a,n\nx,1\nx,1\ny,2\nx,1\nbad,z\nbad,z\n", PLAIN)
    assert len(bed.events) == 4
    assert len(bed.bad) == 2
    before = bed.essence()
    copy = tmp_path / "copy.csv.gz"
    copy.write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    assert files.import_file(bed, tmp_path / "t.csv", mapping_of(PLAIN)).already
    assert not files.import_file(bed, tmp_path / "t.csv", mapping_of(PLAIN), again=True).already
    files.import_file(bed, copy, mapping_of(PLAIN))
    assert len(bed.received) == 18
    assert bed.essence() == before


def test_id_columns_make_the_id(tmp_path: Path) -> None:
    text = PLAIN + "\nid: [a]"
    bed = imported(tmp_path, "t.csv", "a,n\nx,1\nx,2\ny,2\n,3\n", text)
    assert len(bed.received) == 4
    assert [event.properties for event in bed.events] == [{"a": "x", "n": 1}, {"a": "y", "n": 2}]
    assert bed.bad[0].reasons[0].path == "/row/a"


@given(
    seed=st.integers(0, 10**6), rows=st.integers(0, 40), grouped=st.booleans(),
    deaths=st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=3),
)  # fmt: skip
@FEW
def test_any_interruption_and_resumption_gives_the_uninterrupted_import(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rows: int, deaths: list[tuple[int, bool]], grouped: bool
) -> None:
    chance, folder = random.Random(seed), tmp_path_factory.mktemp("cut")
    lines = [
        (chance.choice(["1", "2", "3", "C4", ""]), "7", "a", chance.choice(["1", "2", "x"]), "1.1") for _ in range(rows)
    ]
    text = receipts(lines) + "broken\n"
    mapping = (
        RECEIPTS if grouped else "source: s\nevent: E\nproperties: {q: {column: quantity, type: integer}, t: ticket}"
    )
    path = folder / "t.csv"
    path.write_text(text)
    with patch.object(loading, "BODY_ITEMS_MAX", 2), patch.object(loading, "BODIES_PER_APPEND", 2):
        whole = Bed(folder, control="other.db")
        files.import_file(whole, path, mapping_of(mapping))
        bed = Bed(folder)
        for dies_at, late in deaths:
            bed.appends, bed.dies_at, bed.late = 0, dies_at, late
            try:
                files.import_file(bed, path, mapping_of(mapping))
            except Interrupted:
                continue
        bed.dies_at = 0
        files.import_file(bed, path, mapping_of(mapping))
    assert bed.essence() == whole.essence()


def test_an_import_that_goes_on_sends_only_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,n\n" + "".join(f"x,{number}\n" for number in range(20)))
    bed = Bed(tmp_path, dies_at=3)
    with patch.object(loading, "BODY_ITEMS_MAX", 2), patch.object(loading, "BODIES_PER_APPEND", 2):
        with pytest.raises(Interrupted):
            files.import_file(bed, path, mapping_of(PLAIN))
        report = files.import_file(bed, path, mapping_of(PLAIN))
    assert (report.resumed, report.events, report.rows) == (8, 20, 20)
    assert [item.event.properties["n"] for item in bed.received if item.event] == list(range(20))


def test_another_mapping_is_another_import(tmp_path: Path) -> None:
    bed = imported(tmp_path, "t.csv", "a,n\nx,1\n", PLAIN)
    report = files.import_file(bed, tmp_path / "t.csv", mapping_of(PLAIN.replace("event: E", "event: F")))
    assert not report.already
    assert [event.name for event in bed.events] == ["E", "F"]


def test_bodies_are_bounded(tmp_path: Path) -> None:
    bed = imported(tmp_path, "t.csv", "a,n\n" + "x,1\n" * 1_201, PLAIN)
    assert [len(msgspec.json.decode(body)["events"]) for _, _, body in bed.bodies] == [500, 500, 201]
    with patch.object(loading, "BODY_BYTES_MAX", 300):
        assert all(len(chunk) <= 3 for chunk in loading.cut([["x" * 98]] * 9))


def test_progress_is_told(tmp_path: Path) -> None:
    steps: list[files.Step] = []
    imported(tmp_path, "t.csv", receipts([("1", "7", "a", "1", "2")] * 9), RECEIPTS, on_progress=steps.append)
    assert {step.phase for step in steps} == {"reading", "grouping"}
    assert (steps[-1].done, steps[-1].total, steps[-1].items) == (9, 9, 1)


# ── the decoder ───────────────────────────────────────────────────────────────────────────────────────────────────────

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=9) | st.dictionaries(st.sampled_from(["events", "id", "line", "reasons"]), inner)
    ),
    max_leaves=12,
)


@given(body=st.binary(max_size=40) | json_values.map(msgspec.json.encode))
@settings(deadline=None)
def test_the_decoder_never_raises_and_counts_every_item(body: bytes) -> None:
    items = files.decode(Record(3, "s", "files", 5, body), Source("s", "store"))
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        document = None
    rows = document.get("events") if isinstance(document, dict) else None
    assert len(items) == (len(rows) if isinstance(rows, list) else 1)
    assert [item.position for item in items] == [3 << 20 | index for index in range(len(items))]
    assert all((item.event is None) == bool(item.reasons) or item.erased for item in items)


@pytest.mark.parametrize("form", ["%s", '{"events": [%s]}'])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_what_lies_too_deep_is_an_item_with_reasons(form: str, opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    body = form % (opening * 100_000 + "1" + closing * 100_000)
    (item,) = files.decode(Record(1, "s", "files", 5, body.encode()), Source("s", "store"))
    assert item.event is None
    assert [reason.code for reason in item.reasons] == ["unreadable"]


def test_erased_items_keep_their_fate_and_nothing_else() -> None:
    body = msgspec.json.encode({"events": [{"_erased": "stored"}, [1, "i", "track", "E", None, {}, {}, {}]]})
    erased, stored = files.decode(Record(1, "s", "files", 77, body), Source("s", "store"))
    assert (erased.erased, erased.event, erased.reasons) == ("stored", None, ())
    assert isinstance(stored.event, Event)
    assert stored.event.occurred == 77


# ── suggestion and dry run ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["CustomerID", "customer_id", "Customer Id", "CUSTOMER-ID", "customerId"])
def test_names_are_compared_by_their_words(name: str) -> None:
    assert words_of(name) == "customer id"


def test_a_suggestion_for_people_in_spanish(tmp_path: Path) -> None:
    path = tmp_path / "Clientes 2024.csv"
    rows = "".join(
        f"{number};Ana;Gómez;ana{number}@correo.es;600 111 {number};0{number};31/12/19{number % 90 + 10};"
        f"1.{number + 100},50\n"
        for number in range(100, 200)
    )
    path.write_bytes(
        f"ID Cliente;Nombre;Apellidos;Correo;Móvil;Tarjeta;Fecha Nacimiento;Saldo\n{rows}".encode("cp1252")
    )
    text = files.suggest_mapping(path)
    mapping = mapping_of(text)
    assert mapping.type == "identify"
    assert {kind for kind, _ in mapping.identifiers} == {"pos_customer", "email", "phone", "loyalty"}
    run = files.dry_run(path, mapping, events_max=2)
    assert run.bad == []
    assert run.events[0]["traits"] == {
        "firstName": "Ana",
        "lastName": "Gómez",
        "birthday": "1920-12-31",
        "saldo": 1200.5,
    }


def test_a_suggestion_for_receipts_groups_lines_and_sees_returns(tmp_path: Path) -> None:
    path = tmp_path / "tickets.csv"
    lines = [(str(1000 + number // 3), "7", f"p{number % 5}", "2", "1.50") for number in range(60)]
    path.write_text(receipts([*lines, ("C2000", "8", "p1", "-1", "1.50")]))
    mapping = mapping_of(files.suggest_mapping(path, source="pos"))
    assert mapping.source == "pos"
    assert mapping.group_by == ("ticket",)
    run = files.dry_run(path, mapping, events_max=100)
    assert [item["event"] for item in run.events] == ["Receipt Issued"] * 20 + ["Product Returned"]
    assert run.events[0]["properties"]["total"] == 9


def test_a_suggestion_tells_customer_cards_from_articles(tmp_path: Path) -> None:
    path = tmp_path / "store_receipts.csv"
    card, article = "2901543210155", "8430012022264"
    assert _is_gtin(card), "the look alone cannot tell"
    rows = "".join(f"r{number // 2},{card},{article},1\n" for number in range(6))
    path.write_text(f"receipt_id,card,gtin,quantity\n{rows}")
    (event, *_) = files.dry_run(path, mapping_of(files.suggest_mapping(path)), events_max=100).events
    assert event["identifiers"] == {"loyalty": card}
    assert [product["gtin"] for product in event["properties"]["products"]] == [article] * 2
    path.write_text(f"receipt_id,card,code,quantity\n{rows}")
    (event, *_) = files.dry_run(path, mapping_of(files.suggest_mapping(path)), events_max=100).events
    assert [product["gtin"] for product in event["properties"]["products"]] == [article] * 2


@pytest.mark.parametrize("content", ["a,b\n", "a,b\n1,2\n", '{"x": {"y": [1]}}\n', "yes,no: x\n1,2\n", "a\n"])
def test_every_suggestion_loads(tmp_path: Path, content: str) -> None:
    path = tmp_path / "t.dat"
    path.write_text(content)
    assert mapping_of(files.suggest_mapping(path)).source == "t"


def test_a_dry_run_shows_events_and_bad_rows_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,n\nx,1\ny,z\n" + "x,2\n" * 9)
    run = files.dry_run(path, mapping_of(PLAIN), events_max=3)
    assert (len(run.events), len(run.bad), run.rows) == (3, 1, 11)
    assert list(tmp_path.iterdir()) == [path]


def test_patterns_find_files_once_and_in_order(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / name).write_text("x")
    found = files.matching([str(tmp_path / "*.csv"), str(tmp_path / "a.csv"), str(tmp_path / "c.txt")])
    assert [path.name for path in found] == ["a.csv", "b.csv", "c.txt"]
    assert issubclass(Unreadable, CauceError)


# ── documentation ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_mapping_in_the_reference_loads() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "mapping.md").read_text("utf-8")
    blocks = [block.split("```")[0] for block in page.split("```yaml\n")[1:]]
    assert len(blocks) >= 4
    assert [mapping_of(block).source for block in blocks] == ["pos_madrid", "crm", "pos", "legacy"]


def test_the_reference_names_every_key() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "mapping.md").read_text("utf-8")
    known = {*mapping._TOP, *mapping._VALUE, *mapping.TESTS, *values.TYPES, *values.TEXT_OPERATIONS}
    known |= {*values.NUMBER_OPERATIONS, *Options.__struct_fields__, *mapping.EVENT_TYPES}
    assert [name for name in sorted(known) if f"`{name}" not in page and f"{{{name}:" not in page] == []
