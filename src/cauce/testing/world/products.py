"""The assortment: products with valid GTIN-13, brands, prices, margins and a season, as money in integer cents."""

from __future__ import annotations

from typing import Any, NamedTuple

from cauce.testing.world.chance import Dice, key

CATEGORIES: tuple[tuple[str, str, int, tuple[str, ...]], ...] = (
    # category, season, price of the middle in cents, nouns
    ("abrigos", "winter", 12_900, ("Abrigo", "Parka", "Plumífero", "Gabardina")),
    ("punto", "winter", 4_900, ("Jersey", "Cárdigan", "Chaleco de punto")),
    ("camisas", "always", 3_900, ("Camisa", "Blusa", "Sobrecamisa")),
    ("vestidos", "summer", 5_900, ("Vestido", "Falda", "Mono")),
    ("pantalones", "always", 4_500, ("Pantalón", "Vaquero", "Chino")),
    ("zapatos", "always", 7_900, ("Zapato", "Bota", "Zapatilla", "Alpargata")),
    ("baño", "summer", 2_900, ("Bañador", "Bikini", "Toalla de playa")),
    ("accesorios", "always", 2_500, ("Bolso", "Cinturón", "Bufanda", "Sombrero")),
    ("hogar", "always", 3_500, ("Manta", "Juego de sábanas", "Cojín", "Vajilla")),
    ("juguetes", "christmas", 2_200, ("Peluche", "Puzle", "Coche de madera")),
)
BRANDS = ("Ribera", "Duna", "Almena", "Olmo", "Caudal", "Marisma", "Tejuela", "Bruma")
COLOURS = ("azul", "rojo", "verde", "negro", "blanco", "camel", "gris", "mostaza")
TAX_RATE = 0.21
_SEASON_MONTHS = {"winter": (10, 11, 12, 1, 2), "summer": (5, 6, 7, 8), "christmas": (11, 12), "always": range(1, 13)}


class Product(NamedTuple):
    """One article. `line` is how it stands in `products[]` of an event, without quantity; never change it in place."""

    number: int
    gtin: str
    category: str
    season: str
    price_cents: int
    margin: float
    line: dict[str, Any]


def gtin(number: int, prefix: str = "843") -> str:
    """The GTIN-13 of article `number` under a GS1 prefix (843: Spain), with its check digit."""
    body = prefix + str(number).zfill(12 - len(prefix))
    return body + check_digit(body)


def check_digit(digits: str) -> str:
    """The GS1 check digit of what stands before it: from the right, weights 3, 1, 3, 1 …; up to the next ten."""
    total = 3 * sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2]))
    return str(-total % 10)


def in_season(season: str, month: int) -> bool:
    return month in _SEASON_MONTHS[season]


class Assortment:
    """All products, and for each month a pool to draw from in which what is in season comes up four times as often."""

    def __init__(self, seed: int, count: int = 400) -> None:
        dice = Dice(key(seed, "products"))
        self.products = tuple(_product(number, dice) for number in range(count))
        self.pools = {
            month: tuple(p for p in self.products for _ in range(4 if in_season(p.season, month) else 1))
            for month in range(1, 13)
        }


def _product(number: int, dice: Dice) -> Product:
    category, season, middle_cents, nouns = CATEGORIES[number % len(CATEGORIES)]
    price_cents = int(middle_cents * (0.5 + 1.2 * dice.share())) // 100 * 100 + 95
    brand, colour, noun = dice.pick(BRANDS), dice.pick(COLOURS), dice.pick(nouns)
    code = gtin(1_200_000 + number * 7)
    line = {
        "product_id": f"P{number:05d}",
        "sku": f"{category[:3].upper()}-{number:05d}-{colour[:2].upper()}",
        "gtin": code,
        "name": f"{noun} {brand} {colour}",
        "category": category,
        "brand": brand,
        "price": price_cents / 100,
    }
    return Product(number, code, category, season, price_cents, round(0.35 + 0.3 * dice.share(), 3), line)
