"""A first mapping, guessed from a table's column names (Spanish and English) and from what stands in the columns.

Every line says why in a comment. The result loads as it is; a person who knows the file improves it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import msgspec
import phonenumbers

from cauce.connectors.tabular.reading import Row
from cauce.connectors.tabular.values import as_text

SAMPLE_ROWS = 2_000
SHARE_MIN = 0.8
"""Share of the filled cells that must look alike before their look decides."""

_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[A-Za-z]{2,}")
_POINT_NUMBER = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")
_COMMA_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+\s*[€$]?")
_CLOCK = r"(?:[ T]\d{1,2}:\d{2}(?P<seconds>:\d{2})?)?"
_DAY_FIRST = re.compile(r"(?P<a>\d{1,2})(?P<mark>[/.-])(?P<b>\d{1,2})[/.-](?P<year>\d{4}|\d{2})" + _CLOCK)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}.*)?")
_EPOCH = (946_684_800, 4_102_444_800)

_WORDS: dict[str, str] = {
    "email": r"e?mail|correo|correo electronico|e mail",
    "phone": r"phone|telephone|telefono|tel|tfno|tlf|movil|mobile|celular|cell|phone number",
    "whatsapp": r"whatsapp|wasap",
    "loyalty": r"loyalty|tarjeta|fidelizacion|fidelidad|card( (no|number|id))?|loyalty (no|number|id|card)|socio|club",
    "crm_id": r"crm|crm id|contact id|lead id|mql id|contacto",
    "user_id": r"user id|userid|usuario|login|id usuario|account id",
    "pos_customer": r"customer|customer ?(id|no|number|key)|client|cliente|client ?id"
    r"|(id|cod|codigo|num|numero) cliente|cliente (id|no|num|numero)|shopper id",
    "national_id": r"dni|nif|nie|cif|nif cif",
    "anonymous_id": r"anonymous ?id|cookie|cookie id|visitor id",
}
_TRAITS: dict[str, str] = {
    "firstName": r"first ?name|given ?name|nombre|forename|name first",
    "lastName": r"last ?name|surname|family ?name|apellidos?|apellido 1|primer apellido",
    "secondLastName": r"apellido 2|segundo apellido",
    "middleInitial": r"middle (initial|name)",
    "name": r"full ?name|nombre (completo|y apellidos)|customer name|razon social",
    "birthday": r"birth ?(date|day)|date of birth|dob|fecha (de )?nacimiento|nacimiento",
    "gender": r"gender|sex|sexo|genero",
    "address": r"address|direccion|domicilio|calle|street|address 1",
    "city": r"city|ciudad|poblacion|localidad|municipio|town|suburb",
    "postcode": r"post ?code|postal code|codigo postal|cp|zip|zip ?code",
    "region": r"state|province|provincia|region",
    "country": r"country|pais",
    "language": r"language|idioma|lang|locale",
    "company": r"company|empresa",
}
_GROUP = r"(invoice|factura|ticket|receipt|recibo|order|pedido|basket|transaction|transaccion|albaran)s?" + (
    r"( ?(no|num|number|numero|id|code))?|(id|num|numero|no|cod) (factura|ticket|pedido|recibo|transaccion)"
)
_PRODUCT: dict[str, str] = {
    "quantity": r"quantity|qty|cantidad|unidades|units|uds",
    "price": r"(unit )?price|precio( unitario| ud)?|pvp|unitprice",
    "sku": r"sku|stock ?code|(product|item|article|material) ?(id|no|number|code|num)?|articulo|referencia|ref"
    r"|cod(igo)? (articulo|producto)|producto",
    "gtin": r"ean|ean ?13|gtin|upc|codigo (de )?barras|barcode",
    "name": r"description|descripcion|product name|nombre (producto|articulo)|denominacion|product desc",
    "amount": r"amount|importe|total|sales value|line total|importe linea",
}
_OCCURRED = r".*\b(date|fecha|time|hora|timestamp|at|day|moment|updated|created)\b.*"


class Sample(Protocol):
    name: str
    columns: list[str]

    def rows(self) -> Any: ...


class _Column(msgspec.Struct):
    """What is known about one column of the sample: its words, its filled cells as text, and how they look."""

    name: str
    words: str
    cells: list[str]
    look: str = "text"
    detail: str = ""
    why: str = ""

    @property
    def is_unique(self) -> bool:
        return len(self.cells) > 1 and len(set(self.cells)) == len(self.cells)


def suggest(sheet: Sample, path: Path, *, source: str = "", channel: str = "") -> str:
    """A mapping of the table as YAML text."""
    rows: list[Row] = list(islice(sheet.rows(), SAMPLE_ROWS))
    columns = [_look(_Column(name, words_of(name), _filled(rows, index))) for index, name in enumerate(sheet.columns)]
    group = _group_of(columns)
    lines = [
        f"# A first mapping, guessed from {sheet.name} ({len(rows):,} rows looked at). Check it, then try it:",
        f"#   cauce import {path.name} --mapping THIS.yaml --dry-run",
        f"source: {source or _slug(path)}",
        f"channel: {channel or ('store' if group else 'crm')}   # web, app, store, call_center, crm …",
        "timezone: UTC   # zone of the moments in the file that name none, such as Europe/Madrid",
    ]
    return "\n".join(lines + (_receipts(columns, group) if group else _people_or_facts(columns, path))) + "\n"


def words_of(name: str) -> str:
    """A column name as lower-case words without accents: `CustomerID`, `customer_id` and `Customer Id` are one."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    plain = unicodedata.normalize("NFKD", spaced).encode("ascii", "ignore").decode()
    return " ".join(re.findall(r"[a-z]+|\d+", plain.lower()))


def _filled(rows: Sequence[Row], index: int) -> list[str]:
    cells = [as_text(row[1][index]).strip() for row in rows if isinstance(row[1], list) and row[1][index] is not None]
    return [cell for cell in cells if cell]


# ── how the cells of a column look ────────────────────────────────────────────────────────────────────────────────────


def _look(column: _Column) -> _Column:
    cells = column.cells
    if not cells:
        column.why = "empty in the sample"
        return column
    looks: tuple[tuple[str, Callable[[str], object], str], ...] = (
        ("email", _EMAIL.fullmatch, "looks like e-mail addresses"),
        ("gtin", _is_gtin, "article numbers with a right check digit"),
        ("moment", _ISO.fullmatch, "dates in ISO 8601"),
        ("moment", _DAY_FIRST.fullmatch, "dates"),
        ("number", _POINT_NUMBER.fullmatch, "numbers"),
        ("money", _COMMA_NUMBER.fullmatch, "numbers with a decimal comma"),
        ("phone", _is_phone, "looks like phone numbers"),
    )
    for look, test, why in looks:
        share = sum(1 for cell in cells if test(cell)) / len(cells)
        if share >= SHARE_MIN:
            column.look, column.why = look, why if share == 1 else f"{why} ({share:.0%})"
            break
    if column.look == "number" and any(_COMMA_NUMBER.fullmatch(cell) for cell in cells):
        column.look, column.why = "money", "numbers with a decimal comma"
    if column.look == "moment":
        column.detail = _format_of(cells)
    elif column.look == "number" and re.fullmatch(_OCCURRED, column.words):
        numbers = [float(cell) for cell in cells if _POINT_NUMBER.fullmatch(cell)]
        for name, factor in (("epoch_seconds", 1), ("epoch_milliseconds", 1_000)):
            if all(_EPOCH[0] * factor <= number <= _EPOCH[1] * factor for number in numbers):
                column.look, column.detail, column.why = "moment", name, "numbers that are moments since 1970"
    return column


def _format_of(cells: list[str]) -> str:
    """The `strptime` format of dates such as 31/12/2024 10:15; empty for ISO 8601. Day first unless that cannot be."""
    found = [match for cell in cells if (match := _DAY_FIRST.fullmatch(cell))]
    if not found:
        return ""
    month_first = any(int(match["b"]) > 12 for match in found) and not any(int(match["a"]) > 12 for match in found)
    mark, year = found[0]["mark"], "%Y" if len(found[0]["year"]) == 4 else "%y"
    day = mark.join(("%m", "%d", year) if month_first else ("%d", "%m", year))
    if ":" not in found[0][0]:
        return day
    clock = "%H:%M:%S" if found[0]["seconds"] else "%H:%M"
    return f"{day}{'T' if 'T' in found[0][0] else ' '}{clock}"


def _is_gtin(text: str) -> bool:
    if len(text) not in (12, 13, 14) or not (text.isascii() and text.isdigit()):
        return False
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(text)))
    return weighted % 10 == 0


def _is_phone(text: str) -> bool:
    try:
        number = phonenumbers.parse(text, "ES")
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(number)


# ── what a column is ──────────────────────────────────────────────────────────────────────────────────────────────────


def _named(column: _Column, table: dict[str, str]) -> str:
    return next((name for name, words in table.items() if re.fullmatch(words, column.words)), "")


def _kind_of(column: _Column) -> tuple[str, str]:
    """(kind of identifier, why), empty when it is none."""
    kind = _named(column, _WORDS)
    if kind:
        if column.look == "moment":
            return "", ""
        return kind, f"by its name{', and it ' + column.why if column.look == kind else ''}"
    return (column.look, column.why) if column.look in ("email", "phone") and column.cells else ("", "")


def _group_of(columns: list[_Column]) -> _Column | None:
    """The column whose equal values are one receipt, when the table has lines of receipts."""
    has_lines = any(_named(column, _PRODUCT) in ("quantity", "price", "amount", "sku", "gtin") for column in columns)
    if not has_lines:
        return None
    named = [column for column in columns if re.fullmatch(_GROUP, column.words) and column.cells]
    return next((column for column in named if not column.is_unique), None)


def _occurred(columns: list[_Column], *, fallback: str) -> tuple[list[str], set[str]]:
    moments = [column for column in columns if column.look == "moment" and _named(column, _TRAITS) != "birthday"]
    if not moments:
        return [f"# occurred: no column looks like a moment; {fallback}"], set()
    chosen = next((column for column in moments if re.fullmatch(_OCCURRED, column.words)), moments[0])
    form = f", format: {_quoted(chosen.detail)}" if chosen.detail else ""
    return [f"occurred: {{column: {_quoted(chosen.name)}{form}}}   # {chosen.why}"], {chosen.name}


def _identifiers(columns: list[_Column]) -> tuple[list[str], set[str]]:
    kinds: dict[str, list[tuple[_Column, str]]] = {}
    for column in columns:
        kind, why = _kind_of(column)
        if kind:
            kinds.setdefault(kind, []).append((column, why))
    if not kinds:
        return ["# identifiers: no column looks like one; without any the events belong to nobody"], set()
    lines = ["identifiers:"]
    for kind, found in kinds.items():
        names = ", ".join(_quoted(column.name) for column, _ in found)
        text = names if len(found) == 1 else f"[{names}]"
        lines.append(f"  {kind}: {text}   # {found[0][1]}")
        if kind == "national_id":
            lines.append("  # ^ a national document is sensitive: keep it only where the law allows")
    return lines, {column.name for found in kinds.values() for column, _ in found}


def _receipts(columns: list[_Column], group: _Column | None) -> list[str]:
    """Lines of receipts: one event for all rows of a group."""
    assert group is not None
    used = {group.name}
    products = _products([column for column in columns if column is not group])
    used.update(column.name for column in products.values())
    lines = _names_of_receipts(group, products)
    for found, names in (
        _identifiers([column for column in columns if column.name not in used]),
        _occurred([column for column in columns if column.name not in used], fallback="events get the time of import"),
    ):
        lines += found
        used |= names
    lines += ["properties:", f"  order_id: {_quoted(group.name)}   # equal values are one receipt"]
    if "quantity" in products and "price" in products:
        factors = ", ".join(_number(products[part]) for part in ("quantity", "price"))
        lines.append(f"  total: {{sum: {{multiply: [{factors}]}}, type: money}}   # exact, over all lines")
    elif "amount" in products:
        lines.append(f"  total: {{sum: {_number(products['amount'])}, type: money}}   # exact, over all lines")
    lines += [_property(column) for column in columns if column.name not in used and column.cells]
    lines += ["products:", f"  group_by: {_quoted(group.name)}", "  properties:"]
    for part, column in products.items():
        typed = _number(column) if part in ("quantity", "price", "amount") else _quoted(column.name)
        lines.append(f"    {part}: {typed}")
    return lines


def _products(columns: list[_Column]) -> dict[str, _Column]:
    """The columns that describe the article of a line, by what they are: a name says more than a look."""
    found: dict[str, _Column] = {}
    for column in columns:
        part = _named(column, _PRODUCT)
        if part:
            found.setdefault(part, column)
    if "gtin" not in found:  # customer cards have such check digits too
        named = list(found.values())
        for column in columns:
            if column.look == "gtin" and column not in named and not _named(column, _WORDS):
                found.setdefault("gtin", column)
    return {part: column for column in columns for part, product in found.items() if product is column}


def _names_of_receipts(group: _Column, products: dict[str, _Column]) -> list[str]:
    lettered = [cell for cell in group.cells if re.fullmatch(r"[A-Za-z]\d+", cell)]
    quantity = products.get("quantity")
    if lettered and len(lettered) < len(group.cells) / 2:
        letter = max(set(lettered), key=lettered.count)[0]
        return [
            "event:",
            f"  - {{is: Product Returned, when: {{column: {_quoted(group.name)}, startswith: {letter}}}}}"
            f"   # {len(lettered)} of {len(group.cells)} begin with {letter}",
            "  - is: Receipt Issued",
        ]
    if quantity and any(cell.startswith("-") for cell in quantity.cells):
        return [
            "event:",
            f"  - {{is: Product Returned, when: {{column: {_quoted(quantity.name)}, below: 0}}}}   # some are negative",
            "  - is: Receipt Issued",
        ]
    return ["event: Receipt Issued   # lines of receipts, by the column names"]


def _people_or_facts(columns: list[_Column], path: Path) -> list[str]:
    """One event a row: what is known of a person, or a fact."""
    lines, used = _identifiers(columns)
    traits = {}
    for column in columns:
        trait = _named(column, _TRAITS)
        if trait and trait not in traits and column.name not in used:
            traits[trait] = column
    is_people = len(traits) >= (2 if used else 3)
    head = (
        ["type: identify   # rows say who somebody is, by the column names"]
        if is_people
        else [f"event: {_title(path)}   # name it: Object Action, such as Lead Created"]
    )
    used |= {column.name for column in traits.values()} if is_people else set()
    moment, moments = _occurred(
        [column for column in columns if column.name not in used], fallback="events get the time of import"
    )
    used |= moments
    rest = [column for column in columns if column.name not in used and column.cells]
    if is_people:
        lines += ["traits:"] if traits or rest else []
        for trait, column in traits.items():
            is_day = trait == "birthday" and column.look == "moment"
            form = f", format: {_quoted(column.detail)}" if column.detail else ""
            value = f"{{column: {_quoted(column.name)}, type: date{form}}}" if is_day else _quoted(column.name)
            lines.append(f"  {trait}: {value}   # by its name")
        lines += [_property(column) for column in rest]
    elif rest:
        lines += ["properties:", *(_property(column) for column in rest)]
    lines.append(
        "# id: without it, rows are told apart by all their cells; name columns that never repeat to use those"
    )
    return [*head, *moment, *lines]


def _property(column: _Column) -> str:
    name = re.sub(r"\W+", "_", column.words.replace(" ", "_")) or "column"
    why = f"   # {column.why}" if column.why else ""
    leading_zero = any(re.fullmatch(r"0\d+", cell) for cell in column.cells)
    looks_like_code = leading_zero or re.search(r"(^| )(id|no|code|upc|ean|ref)$", column.words)
    if column.look in ("number", "money", "moment") and "%" in column.why:
        return f"  {name}: {_quoted(column.name)}   # {column.why}, so it is kept as it is"
    match column.look:
        case "number" | "money" if not looks_like_code:
            return f"  {name}: {_number(column)}{why}"
        case "moment":
            form = f", format: {_quoted(column.detail)}" if column.detail else ""
            kind = "time" if ":" in column.cells[0] or column.detail.startswith("epoch") else "date"
            return f"  {name}: {{column: {_quoted(column.name)}, type: {kind}{form}}}{why}"
        case _:
            return f"  {name}: {_quoted(column.name)}"


def _number(column: _Column) -> str:
    comma = ', decimal: ","' if column.look == "money" else ""
    kind = "money" if column.look == "money" else "number"
    return f"{{column: {_quoted(column.name)}, type: {kind}{comma}}}"


def _quoted(text: str) -> str:
    """A text as a YAML scalar that stays a text, also inside braces."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*(?: [A-Za-z0-9_]+)*", text)
    if plain and text.lower() not in ("yes", "no", "true", "false", "null", "on", "off", "y", "n"):
        return text
    return msgspec.json.encode(text).decode()


def _slug(path: Path) -> str:
    words = words_of(path.name.split(".")[0])
    return re.sub(r" +", "_", words) or "files"


def _title(path: Path) -> str:
    return f"{words_of(path.name.split('.')[0]).title() or 'Row'} Recorded"
