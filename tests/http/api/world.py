"""An installation in which every example of the API's table can be carried out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema_rs

from cauce.app import Platform
from cauce.app.questions import owner_of
from cauce.commerce.baskets.api import Put
from cauce.commerce.catalogue.items import MapItem, SeeItem
from cauce.commerce.catalogue.nouns import Opening, Place, Position, Price, Product
from cauce.commerce.catalogue.places import PutPlace
from cauce.commerce.catalogue.prices import SetPrices
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.loyalty.adjusting import Adjust
from cauce.commerce.loyalty.programmes import ApplyProgramme
from cauce.commerce.loyalty.redeeming import BeginRedemption
from cauce.commerce.loyalty.value.cards import IssueCard
from cauce.commerce.loyalty.value.numbers import number_hash
from cauce.commerce.loyalty.value.paying import Authorise, Capture
from cauce.commerce.orders.changing import Advance, Change
from cauce.commerce.orders.placing import NewLine, PlaceOrder
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.http.api.application import document
from cauce.http.api.fulfilment import counter_of
from cauce.http.api.operation import Operation
from cauce.http.api.page import curl_of
from cauce.http.api.table import OPERATIONS
from cauce.model import Source
from cauce.settings import Settings
from tests.http.api import desk, desk_of_bookings, desk_of_stock
from tests.http.installation import ana, others
from tests.http.serving import serving
from tests.running import http_client

DOCUMENT = json.loads(document())
BY_NAME = {operation.name: operation for operation in OPERATIONS}
PERSONAL = ("ana@tienda.es", "u-ana", "García", "698765432", "612345678", "bad@tienda.es")
"""Values that only those see who may see personal data."""
_numbers = count()


CARD = "6000000000000007"
CLUB = """
programme: club
name: Club Ribera
currency: EUR
earn: [{name: Every euro, points: 1, per: 1}]
tiers: {levels: [{tier: gold, name: Gold, entry: 100}]}
rewards: [{reward: coffee, name: Coffee, points: 50}]
"""


def calls() -> list[tuple[str, dict[str, Any]]]:
    """(source, call): Ana with her loyalty card, others, and events that break their contracts."""
    card = {"type": "identify", "userId": "u-ana", "traits": {"loyalty_id": "9001", "firstName": "Ana"}}
    broken = {"type": "track", "event": "Order Completed", "anonymousId": "b1"}
    texts = [{**broken, "properties": {"total": "12.5", "currency": "EUR"}} for _ in range(3)]
    test = {"type": "track", "event": "", "anonymousId": "b2", "properties": {}}
    return [*ana(), ("store", card), *others(), *(("web", text) for text in [*texts, test])]


def make(folder: Path) -> None:
    """Fills a data folder."""
    with Platform.open(Settings({"data": str(folder)})) as platform:
        for name in ("web", "store", "crm"):
            platform.sources.add(Source(name, name))
        for number, (source, call) in enumerate(calls()):
            stamped = {**call, "messageId": f"m{number}", "timestamp": f"2026-03-{number + 1:02}T10:{number:02}:00Z"}
            platform.append(source, "tracking", [json.dumps({"batch": [stamped]}).encode()])
        platform.drain()
        platform.search.refresh()
        stock_the_shelves(platform)
        open_the_club(platform)
        desk_of_bookings.furnish(platform)
        platform.access.accounts.add("root", "owner", password="correct horse battery", by="tests")
        platform.access.accounts.add("eva", "steward", password="correct horse battery", by="tests")


def stock_the_shelves(platform: Platform) -> None:
    """A product, what channels call it, what nobody knows, and a place."""
    do = platform.commerce.do
    do(PutProduct(product=Product(sku="ABR-00001-AZ", names={"es": "Abrigo azul"})))
    do(SetPrices(sku="ABR-00001-AZ", prices=(Price(currency="EUR", amount=12_995),)))
    for id_ in ("44021", "44023"):
        do(MapItem(channel="shopify", id=id_, sku="ABR-00001-AZ"))
    do(SeeItem(channel="store", id="BOLSA", name="Bolsa"))
    week = tuple(Opening(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8))
    roles = ("sells", "picks_up", "ships")
    do(PutPlace(place=Place(id="S01", roles=roles, position=Position(40.42, -3.7), hours=week)))


def open_the_club(platform: Platform) -> None:
    """A programme with a member, and a gift card."""
    do = platform.commerce.do
    do(ApplyProgramme(document=CLUB, by="tests"))
    do(Adjust(programme="club", member="loyalty:9001", points=1_000_000, why="a welcome", by="tests"))
    do(IssueCard(amount=1_000_000_000, currency="EUR", number=number_hash(platform.secret, CARD), last=CARD[-4:]))


@contextmanager
def copied(world: Path, folder: Path) -> Iterator[Platform]:
    """A platform over a copy of the world."""
    shutil.copytree(world, folder)
    with Platform.open(folder) as platform:
        yield platform


@contextmanager
def client_of(platform: Platform, *scopes: str) -> Iterator[httpx.Client]:
    """A client of a real server over the platform, with a token of those scopes."""
    with serving(platform) as url, http_client(url, timeout=60) as client:
        client.headers["authorization"] = f"Bearer {token(platform, *scopes)}"
        yield client


def token(platform: Platform, *scopes: str) -> str:
    """A fresh token of those scopes (permissions, or names of roles)."""
    return platform.access.tokens.add(f"t{next(_numbers)}", scopes or ("owner",), by="tests").secret


class Values(dict[str, str]):
    """What stands for the variable parts of paths in an installation, for whom a token belongs to.

    Each is made when it is asked for, and kept; what an example ends is made anew each time.
    """

    def __init__(self, platform: Platform, who: str = "") -> None:
        super().__init__(KNOWN)
        self.platform = platform
        self.who = who

    def __missing__(self, name: str) -> str:
        if name in FRESH:
            return FRESH[name](self.platform)
        if name == "statement" and self.who:
            self[name] = str(kept(self.platform, self.who))
        else:
            self[name] = MADE[name](self.platform)
        return self[name]


def promised(platform: Platform) -> int:
    """The number of a redemption that is open."""
    begun = platform.commerce.do(BeginRedemption(programme="club", who=("loyalty:9001",), reward="coffee"))
    return int(begun.id)


def ordered(platform: Platform) -> str:
    """The number of an order of which one piece was collected, and three are still to be picked."""
    do = platform.commerce.do
    do(Receive(lines=(Entry("ABR-00001-AZ", "S01", 1_000_000),)))
    line = NewLine(sku="ABR-00001-AZ", amount=4_000, price=12_995)
    owners = ("email:ana@tienda.es",)
    order = do(PlaceOrder(lines=(line,), currency="EUR", kind="pick_up", place="S01", pays_first=False, owners=owners))
    counter = counter_of(platform)
    for state in ("picked", "ready"):
        counter.advance(Advance(order=order.id, to=state, changes=(Change(line=1, amount=1_000),)))
    counter.hand_over("S01", order=order.number, initials="AR", by="ana")
    return str(order.number)


def filled(platform: Platform) -> str:
    """The id of a line in a basket, beside which a basket of a device lies that nobody knows."""
    line = f"l{platform.commerce.now}"
    for owner in ("email:ana@tienda.es", "device:7f3a"):
        platform.commerce.do(Put(owners=(owner,), line=f"{line}", sku="ABR-00001-AZ", amount=1_000))
    return line


def authorised(platform: Platform) -> int:
    """The number of an authorisation of which a part was captured and a part is still held."""
    held = platform.commerce.do(Authorise(card=1, amount=5_000, currency="EUR"))
    platform.commerce.do(Capture(authorisation=held.id, amount=2_000, more=True))
    return int(held.id)


def kept(platform: Platform, who: str) -> int:
    """The id of a statement that a token keeps."""
    owner = owner_of(platform.access.by_token(who))
    return platform.questions.queries.save(owner, "kept", "select 1").id


def tried(platform: Platform) -> str:
    """The id of a trial of rules that has come to its end."""
    trials = platform.trials
    found = trials.list()
    return trials.wait(found[0].id if found else trials.start(platform.people.rules, "tests"), 60).id


def spare(platform: Platform) -> str:
    """The id of a token that nobody uses."""
    return platform.access.tokens.add(f"spare{next(_numbers)}", ["status.read"], by="tests").token.id


def signing(platform: Platform) -> str:
    """The hint of a secret by which a system signs what it sends."""
    connections = platform.sources.connections
    return connections.add_secret("web", "shopify", "spare-secret-of-tests", by="tests").hint


KNOWN = {
    "key": "email:ana@tienda.es",
    "source": "web",
    "sku": "ABR-00001-AZ",
    "place": "S01",
    "programme": "club",
    "card": "1",
    "system": "shopify",
    "contract": "track:Order Completed",
    "trait": "firstName",
    "computed": "carts_7_days",
    "account": "eva",
    "sort": "contract",
    "basket": "email:ana@tienda.es",
    "resource": "bench",
}
MADE: dict[str, Callable[[Platform], str]] = {
    "redemption": lambda platform: str(promised(platform)),
    "authorisation": lambda platform: str(authorised(platform)),
    "hint": lambda platform: platform.sources.rotate("web", by="tests")[-4:],
    "secret": signing,
    "position": lambda platform: str(platform.quality.entries(limit=1)[0].position),
    "token": spare,
    "statement": lambda platform: "7",
    "order": ordered,
    "line": filled,
}
FRESH = {**desk_of_bookings.FRESH, **desk_of_stock.FRESH, "trial": tried}


def address(operation: Operation, values: dict[str, str]) -> str:
    """The path of an operation with its variable parts filled in."""
    path = operation.path
    for name in operation.path_names:
        path = path.replace(f"{{{name}}}", quote(values[name], safe=":@"))
    return path


def send(client: httpx.Client, operation: Operation, values: dict[str, str], **more: Any) -> httpx.Response:
    """The operation as its example shows it."""
    headers = {"if-match": "*"} if operation.guard is not None and operation.changes else {}
    body = body_of(operation, values) if operation.body else None
    return client.request(
        operation.method,
        address(operation, values),
        params=more.pop("params", operation.parameters),
        json=more.pop("json", body),
        headers={**headers, **more.pop("headers", {})},
        **more,
    )


def body_of(operation: Operation, values: dict[str, str]) -> dict[str, Any]:
    """The example of the table; a definition for what is named in the path."""
    example = json.loads(json.dumps(operation.example))
    if operation.name == "contracts.apply":
        example["definition"]["event"] = values["contract"].partition(":")[2]
    if operation.name == "computed.apply":
        example["definition"]["name"] = values["computed"]
    return desk.said(operation.name, example, values)


def faults(operation: Operation, response: httpx.Response) -> list[str]:
    """How an answer differs from what the OpenAPI document says of it; nothing when it does not."""
    told = DOCUMENT["paths"][operation.path][operation.method.lower()]["responses"]
    if str(response.status_code) not in told:
        return [f"{response.status_code} is not told: {response.text[:300]}"]
    answer = told[str(response.status_code)]
    if "$ref" in answer:
        answer = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    if "content" not in answer:
        return ["expected no content"] if response.content else []
    kind = response.headers["content-type"].partition(";")[0]
    if kind not in answer["content"]:
        return [f"{kind} is not told"]
    if kind in ("text/event-stream", "text/calendar"):
        return []  # what is in them is tried where the stream and the calendars are
    validator = validator_of(answer["content"][kind]["schema"]["$ref"])
    return [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(response.json())]


@cache
def validator_of(reference: str) -> jsonschema_rs.Draft202012Validator:
    """Judges answers by a schema of the document."""
    schema = {"$ref": reference, "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


__all__ = ["BY_NAME", "DOCUMENT", "OPERATIONS", "PERSONAL", "curl_of"]
