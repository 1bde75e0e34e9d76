"""A store with orders in every state, for the pages of the pick-up desk."""

from __future__ import annotations

from cauce.app import Platform
from cauce.commerce.catalogue.api import Address, Opening, Place, Position, Product
from cauce.commerce.catalogue.places import PutPlace
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.fulfilment import api
from cauce.commerce.orders.api import NewLine, PlaceOrder
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.http.api.fulfilment import counter_of

ALWAYS = tuple(Opening(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8))
PLACES = (
    ("MAD", "Madrid Gran Vía", "Gran Vía 32", "28013", "Madrid", Position(40.42, -3.70)),
    ("TOL", "Toledo Zocodover", "Plaza de Zocodover 4", "45001", "Toledo", Position(39.86, -4.02)),
    ("WH", "Almacén Coslada", "Calle Torres Quevedo 1", "28821", "Coslada", Position(40.43, -3.56)),
)
PRODUCTS = (
    ("ABR-1", "Abrigo Ribera camel", "Wool coat, camel", ("Mujer", "Abrigos")),
    ("ZAP-1", "Bota Duna negra, 39", "Black boot, 39", ("Mujer", "Zapatos")),
    ("ACC-1", "Bufanda Almena gris", "Grey scarf", ("Accesorios",)),
    ("HOG-1", "Manta de lana 130 × 180", "Wool blanket", ("Hogar",)),
)


def furnish(platform: Platform) -> None:
    """Places, products and stock."""
    do = platform.commerce.do
    for id_, name, street, code, city, position in PLACES:
        is_store = id_ != "WH"
        place = Place(
            id=id_,
            name=name,
            kind="store" if is_store else "warehouse",
            address=Address(street=street, postal_code=code, city=city, country="ES"),
            position=position,
            zone="Europe/Madrid",
            hours=ALWAYS,
            roles=("sells", "picks_up", "ships") if is_store else ("ships",),
            bays=("1", "2", "3") if id_ == "MAD" else (),
        )
        do(PutPlace(place=place))
    for sku, spanish, english, category in PRODUCTS:
        do(PutProduct(product=Product(sku=sku, names={"es": spanish, "en": english}, category=category)))
        do(Receive(lines=tuple(Entry(sku, place[0], 50_000) for place in PLACES)))


def ordered(platform: Platform, person: str, *skus: str, delivery: str = "pick_up", place: str = "MAD") -> str:
    """The number of a fresh order."""
    names = {sku: spanish for sku, spanish, *_ in PRODUCTS}
    lines = tuple(NewLine(sku=sku, amount=1_000, price=4_995, name=names[sku]) for sku in skus)
    order = PlaceOrder(
        lines=lines,
        currency="EUR",
        kind=delivery,
        place=place,
        channel="web",
        pays_first=False,
        contact=(("name", person),),
    )
    return str(platform.commerce.do(api.PlaceSourced(order=order)).order.number)


def picked(platform: Platform, number: str, place: str = "MAD") -> None:
    task = next(task for task in api.pick_list(platform.commerce, place) if task.order == number)
    lines = tuple(api.Taken(line=line.line, picked=line.to_pick) for line in task.lines)
    platform.commerce.do(api.Pick(order=number, place=place, lines=lines, by="tests"))


def code_of(platform: Platform, number: str) -> str:
    """The code of an order that is ready, which only the person knows."""
    return counter_of(platform).code(api.pickup(platform.commerce, number))


def link_of(platform: Platform, number: str) -> str:
    """The address of the person's page."""
    return counter_of(platform).link(api.pickup(platform.commerce, number))


def made_ready(platform: Platform, person: str, *skus: str, delivery: str = "pick_up") -> str:
    """The number of an order that lies at the desk."""
    number = ordered(platform, person, *skus, delivery=delivery)
    picked(platform, number)
    counter_of(platform).ready(number, by="tests")
    return number


def busy(platform: Platform) -> dict[str, str]:
    """A desk on a busy morning: the numbers of its orders by how they stand."""
    furnish(platform)
    found = {
        "to_pick": ordered(platform, "Ana Ruiz", "ABR-1", "ACC-1"),
        "also_to_pick": ordered(platform, "Luis Prado", "ZAP-1", "HOG-1", "ACC-1", delivery="curbside"),
        "ready": made_ready(platform, "Carmen Vidal", "ABR-1", "ZAP-1"),
        "paid_here": made_ready(platform, "Jorge Mora", "ZAP-1", delivery="reserve_in_store"),
        "curbside": made_ready(platform, "Eva Sanz", "HOG-1", delivery="curbside"),
        "on_way": ordered(platform, "Iván Gil", "ABR-1", delivery="ship_to_store"),
        "sent_home": ordered(platform, "Rosa Pons", "ACC-1", delivery="ship", place=""),
    }
    counter = counter_of(platform)
    counter.arrive(link_of(platform, found["curbside"]).rpartition("/")[2], bay="3", vehicle="Seat rojo 1234 KLM")
    origin = next(
        place
        for place, *_ in PLACES
        if any(task.order == found["on_way"] for task in api.pick_list(platform.commerce, place))
    )
    picked(platform, found["on_way"], origin)
    platform.commerce.do(api.Send(order=found["on_way"], place=origin, carrier="Furgoneta 2"))
    return found
