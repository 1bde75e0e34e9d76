"""Files that say what lies where (tables, InventoryReport of UBL): counted, or compared with the books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.stock import questions
from cauce.commerce.stock.counting import LINES_MAX, Count, Counted, Difference
from cauce.commerce.tills.carrying import FACTORS
from cauce.commerce.tills.comparing import Compare, Compared
from cauce.commerce.tills.habits import EVERY
from cauce.commerce.tills.knowledge import Knowledge
from cauce.connectors import stock_feed, ubl
from cauce.connectors.stock_feed import Bad
from cauce.model import to_iso

if TYPE_CHECKING:
    from cauce.app.platform import Platform

SNIFFED_BYTES = 512
LEVELS_AT_ONCE = 500
BAD_MAX = 1_000
"""Bad rows that are told with their lines; further ones are only counted."""


class Wanted(NamedTuple):
    """How a file is to be read: `source` whose names of stores hold, `channel` whose ids of products; `place` and `at`
    (microseconds) for rows that say none.
    """

    source: str = EVERY
    channel: str = ""
    place: str = ""
    at: int = 0


Step = Callable[[str, int, tuple[Counted, ...]], tuple[Difference, ...]]
"""What is done with the lines of a place at a moment (microseconds)."""


class Found(msgspec.Struct, frozen=True):
    """A product whose amount in the books is another one: what the file says, and by how much more that is."""

    place: str
    sku: str
    told: int
    difference: int
    at: str
    late: bool


class Report(msgspec.Struct, frozen=True):
    """What came of a file: rows read, products counted or compared, those that differ, and rows that are of no use."""

    name: str
    rows: int
    products: int
    differences: tuple[Found, ...]
    bad: tuple[Bad, ...]
    bad_rows: int


class _Reading:
    """A file on its way: amounts by place and moment, and what is wrong with rows."""

    def __init__(self, platform: Platform, wanted: Wanted) -> None:
        self._known = Knowledge(platform.commerce)
        self._known.refresh()
        self._wanted = wanted
        self._now = platform.commerce.now
        self.amounts: dict[tuple[str, int], Counter[str]] = {}
        self.bad: list[Bad] = []
        self.rows = self.bad_rows = 0

    def take(self, row: stock_feed.Row) -> None:
        self.rows += 1
        if isinstance(row, Bad):
            self._refuse(row)
            return
        place = self._known.place(self._wanted.source, row.place)
        item = self._known.item(self._wanted.channel, row.item)
        if place is None or item is None:
            what, told = ("place", row.place) if place is None else ("product", row.item)
            self._refuse(Bad(row.line, f"no {what} is known as {told!r}"))
            return
        factor, divisor = FACTORS.get((row.unit, item.unit), (1, 1))
        at = stock_feed.moment(row.at, self._known.zone(place)) if row.at else self._wanted.at
        if at is not None and at > self._now:
            self._refuse(Bad(row.line, f"it is not yet {row.at}"))
            return
        # The same product twice in a place lies on two shelves.
        self.amounts.setdefault((place, at or self._now), Counter())[item.sku] += round(row.amount * factor / divisor)

    def _refuse(self, bad: Bad) -> None:
        self.bad_rows += 1
        if len(self.bad) < BAD_MAX:
            self.bad.append(bad)


def count_file(platform: Platform, path: Path, wanted: Wanted, by: str) -> Report:
    """Counts what a file says. The same file again, with the same moments in it, changes nothing."""
    digest = blake2b(path.read_bytes(), digest_size=8).hexdigest()

    def counted(place: str, at: int, lines: tuple[Counted, ...]) -> tuple[Difference, ...]:
        command = Count(place=place, lines=lines, occurred=at, reference=f"{path.name}:{digest}"[:200], by=by)
        found: tuple[Difference, ...] = platform.commerce.do(command)
        return found

    return _each(platform, path, wanted, counted)


def compare_file(platform: Platform, path: Path, wanted: Wanted) -> Report:
    """What counting a file would change; changes nothing."""

    def compared(place: str, at: int, lines: tuple[Counted, ...]) -> tuple[Difference, ...]:
        try:
            platform.commerce.do(Compare(place=place, lines=lines, occurred=at))
        except Compared as found:
            return found.differences
        raise AssertionError("a comparison ends with what it found")

    return _each(platform, path, wanted, compared)


def _each(platform: Platform, path: Path, wanted: Wanted, step: Step) -> Report:
    reading = _Reading(platform, wanted)
    for row in read(path, wanted.place):
        reading.take(row)
    differences: list[Found] = []
    products = 0
    for (place, at), amounts in sorted(reading.amounts.items()):
        told = tuple(Counted(sku, amount) for sku, amount in sorted(amounts.items()))
        products += len(told)
        for start in range(0, len(told), LINES_MAX):
            found = step(place, at, told[start : start + LINES_MAX])
            differences += (
                Found(place, one.sku, one.counted, one.difference, to_iso(at), one.late)
                for one in found
                if one.difference
            )
    return Report(path.name, reading.rows, products, tuple(differences), tuple(reading.bad), reading.bad_rows)


def read(path: Path, place: str = "") -> Iterator[stock_feed.Row]:
    """Rows of a file: an InventoryReport when it is XML, else a table."""
    with path.open("rb") as file:
        head = file.read(SNIFFED_BYTES)
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        yield from stock_feed.read(path, place)
        return
    for line in ubl.read(path.read_bytes()):
        amount = stock_feed.thousandths(line.quantity)
        where = line.place or place
        if amount is None:
            yield Bad(line.line, f"expected a quantity of 0 or more, got {line.quantity[:40]!r}")
        elif not line.items:
            yield Bad(line.line, "no product is named")
        elif not where:
            yield Bad(line.line, "no place is named")
        else:
            yield stock_feed.Counted(line.line, where, line.items[0], amount, line.unit, line.at)


def report_of(platform: Platform, places: Iterable[str], party: str) -> bytes:
    """An InventoryReport of UBL 2.1 of what lies in places now, with what is promised."""
    commerce = platform.commerce
    issued = to_iso(commerce.now)

    def stocks() -> Iterator[ubl.Stock]:
        for place in places:
            after = ("", "")
            while levels := questions.levels(commerce.reader, place=place, after=after, limit=LEVELS_AT_ONCE):
                after = (levels[-1].sku, levels[-1].place)
                for level in levels:
                    product = catalogue.product(commerce, level.sku)
                    gtin = product.gtins[0] if product and product.gtins else ""
                    name, unit = (product.name(), product.unit) if product else ("", "")
                    yield ubl.Stock(place, level.sku, gtin, name, max(0, level.free), unit)

    return ubl.written(f"cauce-{commerce.now}", issued, party, stocks())
