"""`cauce catalogue`: products, prices, places, and the ids that channels use; as files and one by one."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import click
import msgspec
from rich.table import Table

from cauce.app import Platform
from cauce.cli.main import actor, json_option, output, pass_platform, table, user
from cauce.commerce.catalogue import api, files
from cauce.commerce.catalogue.items import IgnoreItem, MapItem, UnmapItem
from cauce.commerce.catalogue.many import CHANGES_MAX, Change, PutMany
from cauce.commerce.catalogue.nouns import Place, Product, Unknown
from cauce.commerce.catalogue.places import RetirePlace
from cauce.commerce.catalogue.products import RetireProduct
from cauce.connectors.tabular.reading import Broken, Options, open_sheet
from cauce.connectors.tabular.values import as_text
from cauce.errors import CauceError, NotFound, Unreadable
from cauce.model import to_iso

FAULTS_SHOWN = 10
SEVERAL = 200
"""Rows that are put in together."""
LIMIT_MAX = 10_000


class Fault(msgspec.Struct, frozen=True):
    """A row that was refused, and why."""

    line: int
    fault: str


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows of a file; `rejects` names the file in which the refused ones are kept."""

    file: str
    table: str
    rows: int
    added: int
    changed: int
    unchanged: int
    refused: int
    rejects: str
    faults: list[Fault]


@click.group()
def catalogue() -> None:
    """Products, prices and places, and what channels call them."""


# -- files ------------------------------------------------------------------------------------------------------------


@catalogue.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--as", "sort", type=click.Choice(list(files.SORTS)), help="What FILE is about; default: its columns say."
)
@click.option("--language", default="", help="Language of a column `name` that says none, such as es.")
@click.option("--ignore-other-columns", "lenient", is_flag=True, help="Leave out columns that are not known.")
@click.option("--rejects", type=click.Path(path_type=Path), help="Where refused rows go; default: beside FILE.")
@json_option
@pass_platform
def import_(
    platform: Platform,
    /,
    paths: tuple[Path, ...],
    sort: str | None,
    rejects: Path | None,
    as_json: bool,
    **how: Any,
) -> None:
    """Import products, prices, places or items from FILEs: CSV, Excel, JSON lines, Parquet.

    \b
      cauce catalogue import products.csv        sku, name:es, gtins, brand, category, option:color, price:EUR …
      cauce catalogue import prices.csv          sku, channel, currency, amount, start, until
      cauce catalogue import places.csv          id, name, kind, zone, hours, special_days, roles …
      cauce catalogue import items.csv           channel, id, sku

    Rows that are refused are told with their lines and kept in FILE.rejects.csv; mend them there and import that.
    The same file once more changes nothing.
    """
    if rejects is not None and len(paths) > 1:
        raise click.UsageError("--rejects names one file; import one FILE with it.")
    done = [_imported(platform, path, sort, rejects or path.with_suffix(".rejects.csv"), **how) for path in paths]
    output(as_json, done, _imported_shown)
    if any(one.refused for one in done):
        click.get_current_context().exit(1)


def _imported(
    platform: Platform, path: Path, named: str | None, rejects: Path, *, language: str, lenient: bool
) -> Imported:
    sheet = open_sheet(path, Options(header=True))
    sort = files.SORTS[named] if named else files.sort_of(sheet.columns)
    columns = files.columns_checked(sort, sheet.columns, language=language, lenient=lenient)
    counts = dict.fromkeys(("rows", "added", "changed", "unchanged", "refused"), 0)
    faults: list[Fault] = []
    with Rejects(rejects, sheet.columns) as kept:
        rows = sheet.rows()
        while portion := list(islice(rows, SEVERAL)):
            became = _put(platform, sort, columns, [cells for _, cells in portion])
            for (line, cells), (change, fault) in zip(portion, became, strict=True):
                counts["rows"] += 1
                counts[change] += 1
                if fault:
                    faults.append(Fault(line, fault))
                    kept.keep(line, cells, fault)
    if counts["added"] or counts["changed"]:
        told = {name: counts[name] for name in ("added", "changed", "refused")}
        platform.audit.note(actor(), "catalogue.imported", sort.name, told)
    return Imported(
        file=path.name, table=sort.name, rejects=str(rejects) if faults else "", faults=faults[:FAULTS_SHOWN], **counts
    )


def _put(
    platform: Platform, sort: files.Sort, columns: Sequence[str], rows: Sequence[list[Any] | Broken]
) -> Iterator[tuple[str, str]]:
    """(what became of it, why it was refused) of each row."""
    read = [_changes(platform, sort, columns, cells) for cells in rows]
    flat = [change for changes, _ in read for change in changes]
    outcomes = iter(
        outcome
        for start in range(0, len(flat), CHANGES_MAX)
        for outcome in platform.commerce.do(PutMany(changes=tuple(flat[start : start + CHANGES_MAX])))
    )
    for changes, fault in read:
        own = [next(outcomes) for _ in changes]
        refused = next((outcome.message for outcome in own if outcome.change == "refused"), "")
        if fault or refused:
            yield "refused", fault or refused
        else:
            yield _said([outcome.change for outcome in own]), ""


def _said(changes: Sequence[str]) -> str:
    """What became of a row whose first change is the thing itself."""
    if changes[0] == "added":
        return "added"
    return "unchanged" if set(changes) == {"unchanged"} else "changed"


def _changes(
    platform: Platform, sort: files.Sort, columns: Sequence[str], cells: list[Any] | Broken
) -> tuple[tuple[Change, ...], str]:
    if isinstance(cells, Broken):
        return (), f"expected {cells.expected}"
    texts = ["" if cell is None else as_text(cell) for cell in cells]
    told = {column: text for column, text in zip(columns, texts, strict=True) if column}
    try:
        return sort.changes(told, platform.commerce, user()), ""
    except CauceError as fault:
        return (), str(fault)
    except msgspec.ValidationError as fault:
        return (), str(fault)


class Rejects:
    """The file in which refused rows are kept, with their lines and faults; it is made with the first of them."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path = path
        self._own = [index for index, column in enumerate(columns) if column not in files.NOTES]
        self._columns = [columns[index] for index in self._own]
        self._file: TextIO | None = None

    def keep(self, line: int, cells: list[Any] | Broken, fault: str) -> None:
        if self._file is None:
            try:
                self._file = self._path.open("w", encoding="utf-8", newline="")
            except OSError as refused:
                raise Unreadable(
                    f"cannot write the refused rows to {self._path}: {refused.strerror}", hint="Name a file: --rejects"
                ) from None
            csv.writer(self._file).writerow([*self._columns, *files.NOTES])
        raw = cells.raw if isinstance(cells, Broken) else cells
        texts = ["" if cell is None else as_text(cell) for cell in raw] if isinstance(raw, list) else [str(raw)]
        own = [texts[index] if index < len(texts) else "" for index in self._own]
        csv.writer(self._file).writerow([*own, str(line), fault])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


def _imported_shown(done: list[Imported]) -> str:
    lines = []
    for one in done:
        lines.append(
            f"{one.file}: {one.rows:,} rows of {one.table}: {one.added:,} added, {one.changed:,} changed, "
            f"{one.unchanged:,} unchanged, {one.refused:,} refused"
        )
        lines += [f"  line {fault.line}: {fault.fault}" for fault in one.faults]
        if one.refused > len(one.faults):
            lines.append(f"  and {one.refused - len(one.faults):,} more")
        if one.rejects:
            lines.append(f"  The refused rows are in {one.rejects}; mend them there and import that file.")
    return "\n".join(lines)


@catalogue.command("export")
@click.argument("sort", type=click.Choice(list(files.SORTS)))
@click.argument("file", type=click.File("w", encoding="utf-8"), default="-")
@pass_platform
def export(platform: Platform, sort: str, file: TextIO) -> None:
    """Write all products, prices, places or items as CSV to FILE, or to the terminal; `import` reads it again."""
    columns, rows = files.table_of(sort, platform.commerce)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)


# -- products ---------------------------------------------------------------------------------------------------------


@catalogue.command("products")
@click.argument("words", nargs=-1)
@click.option("--category", default="", help='A path such as "Mujer > Abrigos", with all below it.')
@click.option("--brand", default="", help="Only of this brand.")
@click.option("--retired", is_flag=True, help="Retired ones too.")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=50, show_default=True, help="Most products.")
@json_option
@pass_platform
def products(platform: Platform, /, words: tuple[str, ...], limit: int, as_json: bool, **which: Any) -> None:
    """List products, or those that WORDS are found in: SKU, names, brand, category, options, GTINs."""
    found = api.products(platform.commerce, text=" ".join(words), limit=limit, **which)
    output(as_json, [_whole(product) for product in found], lambda _: _products_shown(found))


@catalogue.command("product")
@click.argument("id")
@click.option("--channel", default="", help="Whose id it is, when it is no SKU and no GTIN.")
@json_option
@pass_platform
def product(platform: Platform, id: str, channel: str, as_json: bool) -> None:
    """Show the product that ID means: a SKU, a GTIN, or what a channel calls it; with its prices and ids."""
    sku = api.resolve(platform.commerce, channel, id)
    if sku is None:
        raise NotFound(f"no product is known by {id[:80]!r}", hint="`cauce catalogue products WORD` finds products")
    found = api.need_product(platform.commerce, sku)
    value = {
        **_whole(found),
        "prices": [_price_told(price) for price in api.price_list(platform.commerce, sku)],
        "items": [{"channel": item.channel, "id": item.id} for item in api.items(platform.commerce, sku)],
    }
    output(as_json, value, _product_shown)


@catalogue.command("retire")
@click.argument("sku", required=False, default="")
@click.option("--place", default="", help="A place instead of a product.")
@click.option("--back", is_flag=True, help="Take it back into use.")
@json_option
@pass_platform
def retire(platform: Platform, sku: str, place: str, back: bool, as_json: bool) -> None:
    """Take the product SKU, or a place, out of use; what names it is still understood."""
    if bool(sku) == bool(place):
        raise click.UsageError("Give a SKU, or --place ID.")
    command = (
        RetirePlace(id=place, retired=not back, by=user())
        if place
        else RetireProduct(sku=sku, retired=not back, by=user())
    )
    put = platform.commerce.do(command)
    platform.audit.note(actor(), f"catalogue.{'place' if place else 'product'}_retired", put.id, {"retired": not back})
    output(as_json, put, lambda _: f"{put.id} is {'in use again' if back else 'retired'}.")


# -- ids of channels --------------------------------------------------------------------------------------------------


@catalogue.command("unknown")
@click.option("--channel", default="", help="Only of this channel.")
@click.option("--ignored", is_flag=True, help="Those that are no goods, instead.")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=50, show_default=True, help="Most ids.")
@json_option
@pass_platform
def unknown(platform: Platform, channel: str, ignored: bool, limit: int, as_json: bool) -> None:
    """List ids of channels that no product is known by."""
    found = api.unknown(platform.commerce, channel=channel, ignored=ignored, limit=limit)
    value = [{**msgspec.to_builtins(one), "first": to_iso(one.first), "last": to_iso(one.last)} for one in found]
    output(as_json, value, lambda _: _unknown_shown(found, ignored))


@catalogue.command("map")
@click.argument("id")
@click.argument("sku")
@click.option("--channel", default="", help="Whose id it is; default: any channel.")
@json_option
@pass_platform
def map_(platform: Platform, id: str, sku: str, channel: str, as_json: bool) -> None:
    """Say that ID means the product SKU, from now on and for all that comes with it."""
    mapped = platform.commerce.do(MapItem(channel=channel, id=id, sku=sku, by=user()))
    platform.audit.note(actor(), "catalogue.item_mapped", sku, {"channel": channel, "id": id})
    waited = f" It had come {mapped.waited:,} times." if mapped.waited else ""
    output(as_json, mapped, lambda _: f"{id} of {channel or 'any channel'} means {sku}.{waited}")


@catalogue.command("unmap")
@click.argument("id")
@click.option("--channel", default="", help="Whose id it is; default: that of any channel.")
@json_option
@pass_platform
def unmap(platform: Platform, id: str, channel: str, as_json: bool) -> None:
    """Take back what ID means."""
    platform.commerce.do(UnmapItem(channel=channel, id=id))
    platform.audit.note(actor(), "catalogue.item_unmapped", id, {"channel": channel})
    output(as_json, {"channel": channel, "id": id}, lambda _: f"{id} means nothing of its own any more.")


@catalogue.command("ignore")
@click.argument("id")
@click.option("--channel", default="", help="Whose id it is.")
@click.option("--back", is_flag=True, help="It waits to be resolved again.")
@json_option
@pass_platform
def ignore(platform: Platform, id: str, channel: str, back: bool, as_json: bool) -> None:
    """Say that the unknown ID is no goods (a bag, a delivery charge), so that it waits for nobody."""
    found = platform.commerce.do(IgnoreItem(channel=channel, id=id, ignored=not back))
    platform.audit.note(actor(), "catalogue.item_ignored", id, {"channel": channel, "ignored": not back})
    output(as_json, found, lambda _: f"{id} {'waits to be resolved' if back else 'is ignored'}.")


# -- places -----------------------------------------------------------------------------------------------------------


@catalogue.command("places")
@click.option("--role", type=click.Choice(api.ROLES), help="Only those that do this.")
@click.option("--kind", type=click.Choice(api.KINDS), help="Only of this kind.")
@click.option("--retired", is_flag=True, help="Retired ones too.")
@json_option
@pass_platform
def places(platform: Platform, role: str | None, kind: str | None, retired: bool, as_json: bool) -> None:
    """List places: what they do, and whether they are open now."""
    found = api.places(platform.commerce, role or "", kind=kind or "", retired=retired)
    now = platform.commerce.now
    value = [{**_whole(place), "open": api.open_at(place, now)} for place in found]
    output(as_json, value, lambda _: _places_shown(found, now))


# -- showing ----------------------------------------------------------------------------------------------------------


def _whole(thing: Product | Place) -> dict[str, Any]:
    """All fields, also those that are as usual, with the moment of the last change in ISO."""
    fields = {name: msgspec.to_builtins(value) for name, value in msgspec.structs.asdict(thing).items()}
    return {**fields, "changed": to_iso(thing.changed)}


def _price_told(price: api.Price) -> dict[str, Any]:
    return {
        "channel": price.channel,
        "currency": price.currency,
        "amount": api.written(price.amount, price.currency),
        "start": to_iso(price.start) if price.start else None,
        "until": to_iso(price.until) if price.until else None,
    }


def _products_shown(found: list[Product]) -> Table | str:
    if not found:
        return "There is no such product; `cauce catalogue import products.csv` puts products in."
    shown = table("sku", "name", "brand", "category", "GTIN", "unit")
    for one in found:
        name = one.name() + (" (retired)" if one.retired else "")
        gtin = one.gtins[0] if one.gtins else "–"
        shown.add_row(one.sku, name, one.brand or "–", " > ".join(one.category) or "–", gtin, _unit(one.unit))
    return shown


def _product_shown(value: dict[str, Any]) -> str:
    lines = [f"{name}: {told}" for name, told in value.items() if name not in ("prices", "items") and told]
    for price in value["prices"]:
        since = f" from {price['start']}" if price["start"] else ""
        until = f" until {price['until']}" if price["until"] else ""
        channel = price["channel"] or "any channel"
        lines.append(f"price in {channel}: {price['amount']} {price['currency']}{since}{until}")
    lines += [f"id of {item['channel'] or 'any channel'}: {item['id']}" for item in value["items"]]
    return "\n".join(lines)


def _unit(code: str) -> str:
    return api.UNITS.get(code, code)


def _unknown_shown(found: list[Unknown], ignored: bool) -> Table | str:
    if not found:
        return "Nothing is ignored." if ignored else "No id waits to be resolved."
    shown = table("channel", "id", "name", "times", "last")
    for one in found:
        shown.add_row(one.channel or "any", one.id, one.name or "–", f"{one.count:,}", to_iso(one.last))
    return shown


def _places_shown(found: list[Place], now: int) -> Table | str:
    if not found:
        return "There is no such place; `cauce catalogue import places.csv` puts places in."
    shown = table("id", "name", "kind", "city", "does", "now", "zone")
    for one in found:
        state = "retired" if one.retired else "open" if api.open_at(one, now) else "closed"
        shown.add_row(one.id, one.name, one.kind, one.address.city or "–", ", ".join(one.roles) or "–", state, one.zone)
    return shown
