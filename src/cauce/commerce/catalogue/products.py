"""Products: put in, changed, retired. What waits in the queue of unknown ids and is now known leaves it."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from cauce.commerce.catalogue.items import leave_queue
from cauce.commerce.catalogue.nouns import Product
from cauce.commerce.catalogue.rules import checks
from cauce.commerce.catalogue.store import GTINS, PATH, PRODUCTS, GtinRow, ProductRow
from cauce.commerce.transact.work import Work
from cauce.commerce.transact.writer import Action, Command
from cauce.errors import Conflict, NotFound


class PutProduct(Command, frozen=True, kw_only=True):
    """A product as it is from now on, by the word of `by`; `expected` is the version that is changed, None for any."""

    product: Product
    by: str = ""
    expected: int | None = None


class RetireProduct(Command, frozen=True, kw_only=True):
    """A product is not sold any more, or (`retired` false) is again."""

    sku: str
    retired: bool = True
    by: str = ""


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """What became of something put into the catalogue: *added*, *changed* or *unchanged*, and its version now."""

    id: str
    change: str
    version: int


def put_product(work: Work, command: PutProduct) -> Put:
    """Conflict when a GTIN is another product's, or when the product is not of the expected version any more."""
    wanted = checks.product(command.product)
    row = work.get(PRODUCTS, wanted.sku)
    before = msgspec.json.decode(row.body, type=Product) if row else None
    refuse_outdated(command.expected, before.version if before else 0, f"the product {wanted.sku}")
    if before is not None and replace(before, version=0, changed=0, changed_by="") == wanted:
        return Put(id=wanted.sku, change="unchanged", version=before.version)
    for gtin in wanted.gtins:
        owner = work.get(GTINS, gtin)
        if owner is not None and owner.sku != wanted.sku:
            raise Conflict(
                f"the GTIN {gtin} is that of the product {owner.sku}",
                hint="One GTIN means one product; take it away there first",
            )
    now_known = set(wanted.gtins) - set(before.gtins if before else ())
    for gtin in set(before.gtins if before else ()) - set(wanted.gtins):
        work.drop(GTINS, gtin)
    for gtin in now_known:
        work.put(GTINS, GtinRow(gtin, wanted.sku))
    version = before.version + 1 if before else 1
    _store(work, replace(wanted, version=version, changed=work.now, changed_by=command.by))
    if now_known or before is None:
        leave_queue(work, {wanted.sku, *(short for gtin in now_known for short in _written_forms(gtin))})
    return Put(id=wanted.sku, change="changed" if before else "added", version=version)


def retire_product(work: Work, command: RetireProduct) -> Put:
    row = work.get(PRODUCTS, command.sku)
    if row is None:
        raise NotFound(f"there is no product with the SKU {command.sku[:80]!r}")
    before = msgspec.json.decode(row.body, type=Product)
    if before.retired == command.retired:
        return Put(id=before.sku, change="unchanged", version=before.version)
    changed = replace(
        before, retired=command.retired, version=before.version + 1, changed=work.now, changed_by=command.by
    )
    _store(work, changed)
    return Put(id=before.sku, change="changed", version=changed.version)


def refuse_outdated(expected: int | None, present: int, what: str) -> None:
    """Conflict when somebody changed it since it was read."""
    if expected is not None and expected != present:
        raise Conflict(
            f"{what} was changed since: expected version {expected}, it is {present}",
            hint="Read it again, and repeat your change on that",
        )


def _store(work: Work, product: Product) -> None:
    words = (product.sku, product.product, product.brand, *product.names.values(), *product.category, *product.gtins)
    search = checks.folded(" ".join((*words, *product.options.values())))
    body = msgspec.json.encode(product).decode()
    category = PATH.join(product.category)
    work.put(
        PRODUCTS,
        ProductRow(product.sku, product.product, product.brand, category, search, int(product.retired), body),
    )


def _written_forms(gtin: str) -> list[str]:
    """How labels may show a GTIN: with 14 digits, or shorter, when what is left out are zeros."""
    return [gtin[-digits:] for digits in (8, 12, 13, 14) if not gtin[:-digits].strip("0")]


ACTIONS = (Action(PutProduct, put_product, Put), Action(RetireProduct, retire_product, Put))
