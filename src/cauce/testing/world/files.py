"""Legacy files: what a retailer has lying about besides its channels, as raw material for `cauce import`.

They tell of the same people, with the habits of old systems: a separator and an encoding of their own, dates and
decimal commas as in Spain, one row per line of a receipt.
Receipts and calls are those of the 30 days before the world begins, so they repeat nothing that the channels send.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from cauce.model import DAY, SECOND, to_iso
from cauce.testing.world.acts import CASE_REASONS, lines, stores_of
from cauce.testing.world.chance import draw, key, share
from cauce.testing.world.generator import World
from cauce.testing.world.journeys import KINDS, VARIANTS
from cauce.testing.world.people import Person, spoken_phone

HISTORY_DAYS = 30
TIERS = {"loyal": "oro", "regular": "plata", "occasional": "bronce", "new": "bronce"}
_CUSTOMER_COLUMNS = [
    *("cliente", "nombre", "apellidos", "fecha_nacimiento", "email", "telefono"),
    *("calle", "ciudad", "cp", "pais", "actualizado"),
]
_RECEIPT_COLUMNS = [
    *("receipt_id", "line", "date", "time", "store_id", "till_id", "customer", "card"),
    *("gtin", "article", "quantity", "unit_price", "amount"),
]
_CALL_COLUMNS = ["call_id", "started", "phone", "direction", "agent", "seconds", "topic"]

Row = list[object]


def write_files(world: World, folder: Path) -> dict[str, int]:
    """Writes four files into `folder` (made when missing) and gives their names with the number of rows of each.

    `crm_customers.csv` (Latin-1, semicolons), `loyalty_members.jsonl`, `store_receipts.csv` (UTF-8, commas, one row per
    line of a receipt) and `call_log.tsv`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "crm_customers.csv": _write_table(
            folder / "crm_customers.csv",
            _CUSTOMER_COLUMNS,
            _customers(world),
            delimiter=";",
            encoding="latin-1",
        ),
        "loyalty_members.jsonl": _write_members(folder / "loyalty_members.jsonl", world),
        "store_receipts.csv": _write_table(
            folder / "store_receipts.csv",
            _RECEIPT_COLUMNS,
            _receipt_lines(world),
        ),
        "call_log.tsv": _write_table(
            folder / "call_log.tsv",
            _CALL_COLUMNS,
            _calls(world),
            delimiter="\t",
        ),
    }


def _write_table(
    path: Path, columns: list[str], rows: Iterable[Row], *, delimiter: str = ",", encoding: str = "utf-8"
) -> int:
    count = 0
    with path.open("w", encoding=encoding, errors="replace", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\r\n" if encoding == "latin-1" else "\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def _everybody(world: World) -> Iterator[Person]:
    return (world.people.person(index) for index in range(world.people.count))


def _customers(world: World) -> Iterator[Row]:
    chance = key(world.seed, "crm file")
    for person in _everybody(world):
        if not person.crm_id:
            continue
        house = person.household
        year, month, day = person.birth_date.split("-")
        updated = world.start - int(share(chance, person.number) * 900) * DAY
        yield [
            person.crm_id,
            person.given.upper() if person.number % 9 == 0 else person.given,
            f"{person.surnames[0]} {person.surnames[1]}" if person.number % 7 else person.surnames[0],
            "01/01/1900" if person.number % 40 == 0 else f"{day}/{month}/{year}",
            world.people.typed_email(person, "crm") or ("none@none.com" if person.number % 3 == 0 else ""),
            spoken_phone(world.people.typed_mobile(person, "crm"), person.number),
            house.street,
            house.city.name,
            house.postcode,
            house.city.country,
            to_iso(updated)[:10],
        ]


def _write_members(path: Path, world: World) -> int:
    count = 0
    with path.open("wb") as file:
        for person in _everybody(world):
            if not person.loyalty:
                continue
            member: dict[str, object] = {
                "card": person.loyalty,
                "name": f"{person.called} {person.surnames[0]}",
                "phone": spoken_phone(person.mobile, person.number + 1),
                "tier": TIERS[person.segment],
                "joined": to_iso(world.start - (30 + person.number % 1_000) * DAY)[:10],
                "stores": [stores_of(person, person.number)[0].id],
            }
            if person.email and person.number % 4:
                member["email"] = person.email
            file.write(msgspec.json.encode(member) + b"\n")
            count += 1
    return count


def _receipt_lines(world: World) -> Iterator[Row]:
    chance = key(world.seed, "receipt file")
    for day, index in _past_journeys(world, "store_only"):
        person = world.people.person(index)
        word = draw(chance, index, day)
        store, _ = stores_of(person, word)
        pool = world.assortment.pools[1 + (word >> 20) % 12]
        products, _ = lines(tuple(pool[(word >> shift) % len(pool)] for shift in (5, 25)[: 1 + word % 2]), word)
        moment = to_iso(world.start + day * DAY + (9 * 3600 + word % 36_000) * SECOND)
        for number, line in enumerate(products, start=1):
            yield [
                f"H{store.id}-{index}-{-day}",
                number,
                f"{moment[8:10]}/{moment[5:7]}/{moment[:4]}",
                moment[11:16],
                store.id,
                store.tills[word % len(store.tills)],
                person.pos_number(store.system),
                person.loyalty if word >> 30 & 1 else "",
                line["gtin"],
                line["name"],
                line["quantity"],
                f"{line['price']:.2f}".replace(".", ","),
                f"{line['price'] * line['quantity']:.2f}".replace(".", ","),
            ]


def _calls(world: World) -> Iterator[Row]:
    chance = key(world.seed, "call file")
    for day, index in _past_journeys(world, "complaint"):
        person = world.people.person(index)
        word = draw(chance, index, day)
        yield [
            f"H{index}-{-day}",
            to_iso(world.start + day * DAY + (8 * 3600 + word % 36_000) * SECOND),
            spoken_phone(world.people.typed_mobile(person, "call_center"), word),
            "inbound",
            f"AG{word % 30:02d}",
            60 + word % 600,
            CASE_REASONS[word % len(CASE_REASONS)],
        ]


def _past_journeys(world: World, kind: str) -> Iterator[tuple[int, int]]:
    """(day before the start, negative; person) of the journeys of one kind that ended in a purchase."""
    number = [known.name for known in KINDS].index(kind)
    for day in range(-HISTORY_DAYS, 0):
        began = world.calendar.begin(day)
        for index in began.people[(began.codes // VARIANTS == number) & began.bought].tolist():
            yield day, index
