"""The retailer's catalogue: its assortment with prices and ids, twelve stores, a warehouse and a dark store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from cauce.commerce.catalogue.items import MapItem
from cauce.commerce.catalogue.many import CHANGES_MAX, Change, PutMany
from cauce.commerce.catalogue.nouns import Address, Place, Position, Price, Product
from cauce.commerce.catalogue.places import PutPlace
from cauce.commerce.catalogue.prices import SetPrices
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.catalogue.rules.hours import read_hours, read_special_days
from cauce.model import DAY
from cauce.testing.world.products import Assortment, check_digit
from cauce.testing.world.products import Product as Article
from cauce.testing.world.stores import STORES

if TYPE_CHECKING:
    from cauce.app import Platform

BY = "demo"
OFFER_DAYS = 7
OFFER_EVERY = 9
"""One article of so many is cheaper on the web for a week."""
OFFER_SHARE = 0.8

CATEGORIES = {
    "abrigos": ("Moda", "Abrigos"),
    "punto": ("Moda", "Punto"),
    "camisas": ("Moda", "Camisas y blusas"),
    "vestidos": ("Moda", "Vestidos"),
    "pantalones": ("Moda", "Pantalones"),
    "zapatos": ("Calzado",),
    "baño": ("Moda", "Baño"),
    "accesorios": ("Accesorios",),
    "hogar": ("Hogar",),
    "juguetes": ("Juguetes",),
}
ENGLISH = {
    "Abrigo": "coat", "Parka": "parka", "Plumífero": "down jacket", "Gabardina": "trench coat", "Jersey": "jumper",
    "Cárdigan": "cardigan", "Chaleco de punto": "knitted vest", "Camisa": "shirt", "Blusa": "blouse",
    "Sobrecamisa": "overshirt", "Vestido": "dress", "Falda": "skirt", "Mono": "jumpsuit", "Pantalón": "trousers",
    "Vaquero": "jeans", "Chino": "chinos", "Zapato": "shoe", "Bota": "boot", "Zapatilla": "trainer",
    "Alpargata": "espadrille", "Bañador": "swimsuit", "Bikini": "bikini", "Toalla de playa": "beach towel",
    "Bolso": "handbag", "Cinturón": "belt", "Bufanda": "scarf", "Sombrero": "hat", "Manta": "blanket",
    "Juego de sábanas": "set of sheets", "Cojín": "cushion", "Vajilla": "crockery", "Peluche": "cuddly toy",
    "Puzle": "puzzle", "Coche de madera": "wooden car",
    "azul": "blue", "rojo": "red", "verde": "green", "negro": "black", "blanco": "white", "camel": "camel",
    "gris": "grey", "mostaza": "mustard",
}  # fmt: skip


class Site(NamedTuple):
    """Where a store is, and which hours it keeps."""

    street: str
    postal_code: str
    latitude: float
    longitude: float
    hours: str
    bays: int = 0


LONG, USUAL, SPLIT = (
    "Mo-Sa 10:00-22:00; Su 11:00-21:00",
    "Mo-Sa 10:00-21:00",
    "Mo-Fr 10:00-14:00,17:00-20:30; Sa 10:00-14:00",
)
SITES = (
    Site("Gran Vía 32", "28013", 40.4203, -3.7043, LONG),
    Site("Calle de Serrano 47", "28001", 40.4279, -3.6877, USUAL, 2),
    Site("Carrer Gran de Gràcia 120", "08012", 41.4013, 2.1549, USUAL),
    Site("Avinguda Diagonal 471", "08036", 41.3932, 2.1447, LONG, 3),
    Site("Carrer de Colón 25", "46004", 39.4702, -0.3713, USUAL, 2),
    Site("Calle Tetuán 20", "41001", 37.3909, -5.9952, USUAL),
    Site("Paseo de la Independencia 11", "50001", 41.6512, -0.8830, USUAL, 2),
    Site("Calle Marqués de Larios 5", "29015", 36.7202, -4.4213, LONG),
    Site("Gran Vía Escultor Salzillo 12", "30004", 37.9868, -1.1331, SPLIT),
    Site("Avinguda de Jaume III 15", "07012", 39.5716, 2.6447, USUAL),
    Site("Gran Vía de Don Diego López de Haro 25", "48009", 43.2627, -2.9303, USUAL, 2),
    Site("Calle Real 60", "15003", 43.3691, -8.4008, SPLIT),
)
"""In the order of `STORES`."""
SPECIAL_DAYS = (
    "01-01 off (Año Nuevo); 01-05 10:00-22:00 (Víspera de Reyes); 01-06 off (Reyes); 05-01 off (Fiesta del Trabajo); "
    "12-24 10:00-18:00 (Nochebuena); 12-25 off (Navidad); 12-31 10:00-18:00 (Nochevieja)"
)
WAREHOUSE, DARK_STORE = "W01", "D01"


def furnish(platform: Platform, *, seed: int = 7, at: int = 0) -> None:
    """Puts the whole catalogue in through commands; done twice it changes nothing. Offers begin at the day of `at`."""
    articles = Assortment(seed).products
    begins = (at or platform.commerce.now) // DAY * DAY
    _put(platform, (PutPlace(place=place, by=BY) for place in places()))
    _put(platform, (change for article in articles for change in _changes(article, begins)))


def places() -> Iterator[Place]:
    """Stores sell, hand over and ship; the warehouse ships; the dark store ships, and hands over to couriers."""
    for number, (store, site) in enumerate(zip(STORES, SITES, strict=True), start=1):
        yield Place(
            id=store.id,
            name=store.name,
            gln=_gln(number),
            address=Address(street=site.street, postal_code=site.postal_code, city=store.city, country="ES"),
            position=Position(site.latitude, site.longitude),
            zone="Europe/Madrid",
            hours=read_hours(site.hours),
            special_days=read_special_days(SPECIAL_DAYS),
            roles=("sells", "picks_up", "ships") if len(store.tills) > 1 else ("sells", "picks_up"),
            bays=tuple(f"A{bay}" for bay in range(1, site.bays + 1)),
        )
    yield Place(
        id=WAREHOUSE,
        name="Almacén central",
        kind="warehouse",
        gln=_gln(90),
        address=Address(street="Calle de la Industria 4", postal_code="28906", city="Getafe", country="ES"),
        position=Position(40.3083, -3.7024),
        zone="Europe/Madrid",
        hours=read_hours("Mo-Fr 06:00-22:00; Sa 08:00-14:00"),
        special_days=read_special_days("01-01 off (Año Nuevo); 12-25 off (Navidad)"),
        roles=("ships",),
    )
    yield Place(
        id=DARK_STORE,
        name="Barcelona 22@",
        kind="dark_store",
        gln=_gln(91),
        address=Address(street="Carrer de Pallars 85", postal_code="08018", city="Barcelona", country="ES"),
        position=Position(41.3957, 2.1925),
        zone="Europe/Madrid",
        hours=read_hours("Mo-Th,Su 09:00-24:00; Fr-Sa 09:00-02:00"),
        roles=("ships", "picks_up"),
        bays=("R1", "R2"),
    )


def _changes(article: Article, begins: int) -> Iterator[Change]:
    line = article.line
    *_, colour = line["name"].split()
    noun = line["name"].removesuffix(f" {line['brand']} {colour}")
    sku = line["sku"]
    yield PutProduct(
        product=Product(
            sku=sku,
            product=line["product_id"],
            names={"es": line["name"], "en": f"{line['brand']} {ENGLISH[noun]}, {ENGLISH[colour]}"},
            gtins=(article.gtin,),
            brand=line["brand"],
            category=CATEGORIES[article.category],
            options={"color": colour},
        ),
        by=BY,
    )
    yield MapItem(channel="", id=line["product_id"], sku=sku, by=BY)
    prices = [Price(currency="EUR", amount=article.price_cents)]
    if article.number % OFFER_EVERY == 0:
        offer = round(article.price_cents * OFFER_SHARE) // 100 * 100 + 95
        prices.append(Price(currency="EUR", amount=offer, channel="web", start=begins, until=begins + OFFER_DAYS * DAY))
    yield SetPrices(sku=sku, prices=tuple(prices), add=True)


def _put(platform: Platform, changes: Iterable[Change]) -> None:
    waiting = list(changes)
    for start in range(0, len(waiting), CHANGES_MAX):
        outcomes = platform.commerce.do(PutMany(changes=tuple(waiting[start : start + CHANGES_MAX])))
        refused = [outcome.message for outcome in outcomes if outcome.change == "refused"]
        assert not refused, refused[0]


def _gln(number: int) -> str:
    body = f"8430000{number:05d}"
    return body + check_digit(body)
