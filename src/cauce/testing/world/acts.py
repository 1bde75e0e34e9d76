"""What happens in a visit: one short function per act, told in the words of the channel where it happens.

What the visits of one journey must agree on (the article, the store, the reason why it breaks off) is drawn from
(person, day of beginning), see `Journey`; the rest from the visit's own dice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cauce.testing.world.campaigns import Campaign
from cauce.testing.world.channels import Message, Scribe
from cauce.testing.world.people import Person
from cauce.testing.world.products import TAX_RATE, Product
from cauce.testing.world.stores import NEAREST, STORES, Store

LOST_REASONS = ("price", "size not available", "bought elsewhere", "never came")
RETURN_REASONS = ("size", "colour", "defect", "changed mind")
CASE_REASONS = ("late delivery", "damaged parcel", "wrong article", "refund missing")


class Journey(NamedTuple):
    """What the acts of one journey share. `token` makes its numbers of orders, receipts and cases unique."""

    person: Person
    token: str
    word: int
    bought: bool
    kind: str
    products: tuple[Product, ...]
    store: Store
    other_store: Store
    campaign: Campaign | None
    relative: Person | None

    @property
    def product(self) -> Product:
        return self.products[0]

    def reason(self, reasons: tuple[str, ...]) -> str:
        """Why this journey breaks off, or what is complained of."""
        return reasons[(self.word >> 40) % len(reasons)]


def stores_of(person: Person, word: int) -> tuple[Store, Store]:
    """A store near the person, and another one."""
    near = NEAREST[person.household.city.name]
    first = near[(word >> 8) % len(near)]
    return STORES[first], STORES[(first + 1 + (word >> 16) % (len(STORES) - 1)) % len(STORES)]


def lines(products: tuple[Product, ...], word: int) -> tuple[list[Message], int]:
    """`products[]` of an order or receipt, and its total in cents."""
    found: list[Message] = []
    cents = 0
    for place, product in enumerate(products):
        quantity = 2 if (word >> (48 + place)) & 7 == 0 else 1
        found.append({**product.line, "quantity": quantity})
        cents += product.price_cents * quantity
    return found, cents


def sale(cents: int) -> Message:
    """`total`, `tax` and `currency` of a sale; prices include the tax."""
    return {"total": cents / 100, "tax": round(cents * TAX_RATE / (1 + TAX_RATE)) / 100, "currency": "EUR"}


# Web


def _enter_web(scribe: Scribe, journey: Journey, browser: str = "") -> None:
    dice = scribe.dice
    campaign = None
    if dice.hits(0.2):
        campaign = (
            {"name": "marca", "source": "google", "medium": "cpc", "term": journey.product.category},
            {"name": "primavera", "source": "instagram", "medium": "social", "content": "carrusel"},
        )[dice.below(2)]
    scribe.open_browser(browser or ("phone" if dice.hits(0.6) else "laptop"), campaign)
    scribe.page("/", "Inicio", "home")
    scribe.wait(20)


def _maybe_log_in(scribe: Scribe, probability: float) -> None:
    if scribe.person.user_id and scribe.user_id is None and scribe.dice.hits(probability):
        scribe.log_in()
        scribe.wait(5)


def _consider(scribe: Scribe, product: Product) -> None:
    path = f"/{product.category}/{product.line['sku'].lower()}"
    scribe.page(path, product.line["name"], product.category)
    scribe.web(
        "Product Viewed",
        {
            **product.line,
            "currency": "EUR",
            "value": product.price_cents / 100,
            "url": f"https://tienda.ribera.example{path}",
        },
    )
    scribe.wait(50)


def browse(scribe: Scribe, journey: Journey) -> None:
    dice = scribe.dice
    _enter_web(scribe, journey)
    _maybe_log_in(scribe, 0.3)
    category = journey.product.category
    if dice.hits(0.4):
        scribe.web("Products Searched", {"query": journey.product.line["name"].split()[0].lower()})
        scribe.wait(8)
    scribe.page(f"/{category}", category.capitalize(), category)
    scribe.web(
        "Product List Viewed",
        {
            "list_id": category,
            "category": category,
            "products": [
                {"product_id": product.line["product_id"], "sku": product.line["sku"], "price": product.line["price"]}
                for product in journey.products
            ],
        },
    )
    scribe.wait(30)
    for product in journey.products:
        _consider(scribe, product)
    if dice.hits(0.15):
        scribe.web("Product Added to Wishlist", {"wishlist_id": f"WL{journey.token}", **journey.product.line})


def _web_checkout(scribe: Scribe, journey: Journey, bought: bool, affiliation: str) -> None:
    cart, order = f"K{journey.token}", f"W{journey.token}"
    products, cents = lines(journey.products, journey.word)
    for line in products:
        scribe.web("Product Added", {"cart_id": cart, **line})
        scribe.wait(25)
    scribe.page("/cesta", "Cesta", "checkout")
    scribe.web("Cart Viewed", {"cart_id": cart, "products": products})
    scribe.wait(20)
    breaks_at = 5 if bought else (journey.word >> 52) % 4
    if breaks_at == 0:
        return
    _maybe_log_in(scribe, 0.9)
    scribe.web(
        "Checkout Started", {"order_id": order, "affiliation": affiliation, **_value(cents), "products": products}
    )
    scribe.wait(30)
    for step in range(1, 4):
        if breaks_at < step:
            return
        scribe.web("Checkout Step Viewed", {"checkout_id": cart, "step": step, "shipping_method": affiliation})
        scribe.wait(30)
    if bought:
        _order_completed(scribe.web, journey, order, cart, affiliation)


def _value(cents: int) -> Message:
    return {"value": cents / 100, "revenue": cents / 100, "currency": "EUR"}


def _order_completed(
    say: Callable[[str, Message], None], journey: Journey, order: str, cart: str, affiliation: str
) -> None:
    products, cents = lines(journey.products, journey.word)
    shipping = 0 if cents > 5_000 or affiliation == "pickup" else 395
    say(
        "Order Completed",
        {
            "checkout_id": cart,
            "order_id": order,
            "affiliation": affiliation,
            "subtotal": cents / 100,
            **sale(cents + shipping),
            "revenue": cents / 100,
            "shipping": shipping / 100,
            "discount": 0,
            "products": products,
        },
    )


def web_buy(scribe: Scribe, journey: Journey) -> None:
    _enter_web(scribe, journey)
    _maybe_log_in(scribe, 0.6)
    _consider(scribe, journey.product)
    _web_checkout(scribe, journey, journey.bought, "web")


def pickup_buy(scribe: Scribe, journey: Journey) -> None:
    browse(scribe, journey)
    _web_checkout(scribe, journey, journey.bought, "pickup")


def broken_form(scribe: Scribe, journey: Journey) -> None:
    """Begins to register and gives up."""
    _enter_web(scribe, journey)
    for step in range(1, 2 + scribe.dice.below(3)):
        scribe.page(f"/registro/{step}", f"Registro, paso {step}", "form")
        scribe.wait(25)


def family_tablet(scribe: Scribe, journey: Journey) -> None:
    """One of the household looks, logged in, and logs out; another one logs in on the same browser, and may buy."""
    relative = journey.relative
    if relative is None or not scribe.person.household.tablet:
        web_buy(scribe, journey)
        return
    buyer = scribe.person
    scribe.person = relative
    _enter_web(scribe, journey, "tablet")
    _maybe_log_in(scribe, 1.0)
    _consider(scribe, journey.product)
    scribe.log_out()
    scribe.wait(300)
    scribe.person = buyer
    scribe.page("/", "Inicio", "home")
    _maybe_log_in(scribe, 1.0)
    _consider(scribe, journey.product)
    _web_checkout(scribe, journey, journey.bought, "web")


# App


def app_browse(scribe: Scribe, journey: Journey) -> None:
    if not scribe.person.app_device:
        browse(scribe, journey)
        return
    scribe.open_app()
    scribe.wait(10)
    for product in journey.products:
        scribe.screen(product.category)
        scribe.wait(15)
        scribe.app("Product Viewed", {**product.line, "currency": "EUR", "value": product.price_cents / 100})
        scribe.wait(30)


def app_buy(scribe: Scribe, journey: Journey) -> None:
    if not scribe.person.app_device:
        web_buy(scribe, journey)
        return
    scribe.open_app()
    cart, order = f"K{journey.token}", f"M{journey.token}"
    products, cents = lines(journey.products, journey.word)
    for line in products:
        scribe.wait(25)
        scribe.app("Product Added", {"cart_id": cart, **line})
    scribe.screen("Cesta")
    if journey.bought:
        scribe.wait(30)
        scribe.app("Checkout Started", {"order_id": order, "affiliation": "app", **_value(cents), "products": products})
        scribe.wait(60)
        _order_completed(scribe.app, journey, order, cart, "app")


# Store


def try_on(scribe: Scribe, journey: Journey) -> None:
    store = journey.store
    scribe.tablet("Store Visited", {"store_id": store.id, "store_name": store.name}, store)
    scribe.wait(300)
    scribe.tablet("Product Tried", {"store_id": store.id, **journey.product.line}, store)
    if scribe.dice.hits(0.15):
        scribe.wait(120)
        scribe.tablet_registration(store)


def till(scribe: Scribe, journey: Journey) -> None:
    """A receipt: with the loyalty card, a customer number, or nobody's name."""
    person, store, dice = scribe.person, journey.store, scribe.dice
    desk = store.tills[dice.below(len(store.tills))]
    loyalty = person.loyalty if dice.hits(0.7) else ""
    number = person.pos_number(store.system) if dice.hits(0.6) else ""
    receipt = f"R{store.id}-{journey.token}"
    products, cents = lines(journey.products, journey.word)
    where = {"receipt_id": receipt, "store_id": store.id, "till_id": desk}
    if loyalty:
        scribe.till("Loyalty Card Scanned", {**where, "loyalty_number": loyalty}, desk, loyalty=loyalty)
        scribe.wait(20)
    scribe.till(
        "Receipt Issued", {**where, **sale(cents), "products": products}, desk, loyalty=loyalty, pos_number=number
    )
    if loyalty:
        points = {**where, "loyalty_number": loyalty, "points": cents // 100}
        scribe.wait(2)
        scribe.till("Loyalty Points Earned", points, desk, loyalty=loyalty)


def _contact(person: Person) -> Message:
    return {"phone": person.mobile, "email": person.email} if person.email else {"phone": person.mobile}


def pick_up(scribe: Scribe, journey: Journey) -> None:
    desk = journey.store.tills[0]
    number = scribe.person.pos_number(journey.store.system)
    properties = {"order_id": f"W{journey.token}", "store_id": journey.store.id, "till_id": desk}
    loyalty = scribe.person.loyalty if scribe.dice.hits(0.4) else ""
    scribe.till("Order Picked Up", properties, desk, loyalty=loyalty, pos_number=number, traits=_contact(scribe.person))


def return_elsewhere(scribe: Scribe, journey: Journey) -> None:
    """Three in ten bring an article back, to another store, without logging in anywhere."""
    if (journey.word >> 24) % 10 >= 3:
        return
    store, product = journey.other_store, journey.product
    scribe.till(
        "Product Returned",
        {
            "return_id": f"V{journey.token}",
            "order_id": f"W{journey.token}",
            "store_id": store.id,
            "till_id": store.tills[0],
            "reason": journey.reason(RETURN_REASONS),
            **sale(product.price_cents),
            "products": [{**product.line, "quantity": 1}],
        },
        store.tills[0],
    )


# Call centre, leads, messages


def lead(scribe: Scribe, journey: Journey) -> None:
    person = scribe.person
    campaign = {"name": "medida", "source": "instagram", "medium": "paid_social", "content": "video"}
    if person.instagram:
        scribe.social(
            "Ad Clicked", {"ad_id": f"AD{journey.word % 40:03d}", "campaign": "medida", "network": "instagram"}
        )
        scribe.wait(5)
    scribe.open_browser("phone", campaign)
    scribe.page("/medida", "Sastrería a medida", "lead")
    scribe.wait(60)
    properties = {
        "lead_id": f"L{journey.token}",
        "form_id": "medida-2026",
        "campaign": "medida",
        "interest": journey.product.category,
    }
    scribe.social("Lead Created", properties, _contact(person))


def lead_call(scribe: Scribe, journey: Journey) -> None:
    _call(scribe, journey, "outbound", "lead")
    scribe.call("Lead Qualified", {"lead_id": f"L{journey.token}", "score": 20 + journey.word % 80})


def lead_visit(scribe: Scribe, journey: Journey) -> None:
    if journey.bought or journey.word >> 30 & 1:
        try_on(scribe, journey)


def lead_end(scribe: Scribe, journey: Journey) -> None:
    properties: dict[str, Any] = {"lead_id": f"L{journey.token}"}
    if journey.bought:
        _, cents = lines(journey.products, journey.word)
        scribe.call("Lead Won", {**properties, "value": cents / 100, "currency": "EUR", "store_id": journey.store.id})
    else:
        scribe.call("Lead Lost", {**properties, "reason": journey.reason(LOST_REASONS)})


def _call(scribe: Scribe, journey: Journey, direction: str, topic: str) -> None:
    call = f"T{journey.token}-{topic}"
    agent = f"AG{scribe.dice.below(30):02d}"
    scribe.call("Call Received", {"call_id": call, "direction": direction, "agent_id": agent, "topic": topic})
    seconds = 60 + scribe.dice.below(600)
    scribe.wait(seconds)
    scribe.call(
        "Call Ended",
        {"call_id": call, "agent_id": agent, "duration_seconds": seconds, "resolved": scribe.dice.hits(0.7)},
    )
    scribe.wait(30)


def case_opened(scribe: Scribe, journey: Journey) -> None:
    _call(scribe, journey, "inbound", "complaint")
    scribe.call("Case Opened", _case(journey))


def case_closed(scribe: Scribe, journey: Journey) -> None:
    scribe.call("Case Closed", {**_case(journey), "resolution": ("refund", "replacement", "apology")[journey.word % 3]})
    scribe.wait(3600)
    _survey(scribe, journey, 0.5, unhappy=True)


def _case(journey: Journey) -> Message:
    return {"case_id": f"Q{journey.token}", "order_id": f"W{journey.token}", "reason": journey.reason(CASE_REASONS)}


def chat(scribe: Scribe, journey: Journey) -> None:
    talk = f"H{journey.token}"
    name = journey.product.line["name"]
    scribe.whatsapp(
        "Message Received",
        {"conversation_id": talk, "text": f"Hola, ¿tenéis {name} en la talla M?", "channel": "whatsapp"},
    )
    scribe.wait(120)
    scribe.whatsapp(
        "Message Sent", {"conversation_id": talk, "text": f"¡Hola! Sí, en {journey.store.name}.", "channel": "whatsapp"}
    )
    if scribe.dice.hits(0.6):
        scribe.wait(60)
        scribe.whatsapp(
            "Message Received", {"conversation_id": talk, "text": "Gracias, me paso.", "channel": "whatsapp"}
        )


def basket_reminder(scribe: Scribe, journey: Journey) -> None:
    if scribe.person.email:
        _mail(scribe, f"E{journey.token}", "cesta", 0.4, 0.1)


def _mail(scribe: Scribe, message_id: str, campaign: str, opens: float, clicks: float) -> bool:
    properties = {"email_id": message_id, "campaign": campaign, "subject": f"Ribera: {campaign}"}
    scribe.email("Email Sent", properties)
    if not scribe.dice.hits(opens):
        return False
    scribe.wait(3_000)
    scribe.email("Email Opened", properties)
    if not scribe.dice.hits(clicks / opens):
        return False
    scribe.wait(30)
    scribe.email("Email Clicked", {**properties, "link": "https://tienda.ribera.example/novedades"})
    return True


def campaign_message(scribe: Scribe, journey: Journey) -> None:
    campaign = journey.campaign
    assert campaign is not None, "a campaign's message must know its campaign"
    if campaign.channel == "email":
        if _mail(scribe, f"E{journey.token}-{campaign.name}", campaign.name, 0.35, 0.08):
            scribe.wait(10)
            link = {"name": campaign.name, "source": "newsletter", "medium": "email"}
            scribe.open_browser("phone", link)
            scribe.page(f"/{campaign.category}", campaign.category.capitalize(), campaign.category)
        return
    properties = {
        "conversation_id": f"H{journey.token}-{campaign.name}",
        "campaign": campaign.name,
        "channel": campaign.channel,
    }
    scribe.whatsapp("Message Sent", {**properties, "text": "Te echamos de menos: 15 % en tu próxima compra."})
    if scribe.dice.hits(0.06):
        scribe.wait(1_800)
        scribe.whatsapp("Message Received", {**properties, "text": "¿Hasta cuándo?"})


def after_sale(scribe: Scribe, journey: Journey) -> None:
    _survey(scribe, journey, 0.3, unhappy=False)


def _survey(scribe: Scribe, journey: Journey, answers: float, *, unhappy: bool) -> None:
    if not scribe.person.email:
        return
    survey = {"survey_id": f"N{journey.token}", "kind": "nps"}
    scribe.survey("Survey Sent", survey)
    if scribe.dice.hits(answers):
        scribe.wait(7_200)
        score = scribe.dice.below(7) if unhappy else 6 + scribe.dice.below(5)
        scribe.survey(
            "Survey Answered", {**survey, "score": score, "comment": "No me gustó." if score < 7 else "Todo bien."}
        )
        if score > 8 and scribe.dice.hits(0.3):
            scribe.wait(120)
            scribe.survey(
                "Review Posted", {"product_id": journey.product.line["product_id"], "rating": 5, "text": "Me encanta."}
            )


def crm_record(scribe: Scribe, _journey: Journey) -> None:
    scribe.crm()


def consent_given(scribe: Scribe, journey: Journey) -> None:
    _consent(scribe, journey, "Consent Given")


def consent_withdrawn(scribe: Scribe, journey: Journey) -> None:
    _consent(scribe, journey, "Consent Withdrawn")


def _consent(scribe: Scribe, journey: Journey, event: str) -> None:
    """The preference centre that every e-mail links to."""
    if scribe.person.email:
        scribe.email(event, {"consent_id": f"O{journey.token}", "purpose": "marketing", "channel": "email"})


ACTIONS: dict[str, Callable[[Scribe, Journey], None]] = {
    action.__name__: action
    for action in (
        browse,
        web_buy,
        pickup_buy,
        broken_form,
        family_tablet,
        app_browse,
        app_buy,
        try_on,
        till,
        pick_up,
        return_elsewhere,
        lead,
        lead_call,
        lead_visit,
        lead_end,
        case_opened,
        case_closed,
        chat,
        basket_reminder,
        campaign_message,
        after_sale,
        crm_record,
        consent_given,
        consent_withdrawn,
    )
}
