"""How each channel says things: messages in the wire form of the SDK or server library that such a channel would run.

A `Scribe` writes down one visit of one person: it holds the clock of the visit and appends facts to `facts`.
Messages are shared and must not be changed in place.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from cauce.model import DAY, MINUTE, SECOND, Source
from cauce.model.time import to_iso
from cauce.testing.world.chance import Dice, draw
from cauce.testing.world.people import People, Person, spoken_phone
from cauce.testing.world.stores import Store

Message = dict[str, Any]

SOURCES: tuple[Source, ...] = (
    Source("web", "web"),
    Source("app", "app"),
    Source("pos", "store", user_id_kind="pos_customer", shared_device=True),
    Source("store_tablet", "store", shared_device=True),
    Source("call_center", "call_center"),
    Source("email", "email"),
    Source("whatsapp", "whatsapp"),
    Source("social", "social"),
    Source("crm", "crm", user_id_kind="crm_id"),
    Source("survey", "survey"),
)
WEB, APP, POS, TABLET, CALLS, EMAIL, WHATSAPP, SOCIAL, CRM, SURVEY = range(len(SOURCES))

SHOP = "https://tienda.ribera.example"
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_AGENTS = {
    "laptop": (
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/137.0.0.0 Safari/537.36",
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/136.0.0.0 Safari/537.36 Edg/136.0.0.0",
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) {_APPLE} Version/18.4 Safari/605.1.15",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:139.0) Gecko/20100101 Firefox/139.0",
        "Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0",
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Chrome/137.0.0.0 Safari/537.36",
    ),
    "phone": (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) {_APPLE} Version/18.4 Mobile/15E148 Safari/604.1",
        f"Mozilla/5.0 (Linux; Android 15; SM-S931B) {_WEBKIT} Chrome/137.0.0.0 Mobile Safari/537.36",
        f"Mozilla/5.0 (Linux; Android 14; 2312DRA50G) {_WEBKIT} Chrome/136.0.0.0 Mobile Safari/537.36",
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_7 like Mac OS X) {_APPLE} Version/17.7 Mobile/15E148 Safari/604.1",
        f"Mozilla/5.0 (Linux; Android 13; moto g54) {_WEBKIT} Chrome/135.0.0.0 Mobile Safari/537.36",
        f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {_WEBKIT} Chrome/137.0.0.0 Mobile Safari/537.36",
    ),
    "tablet": (f"Mozilla/5.0 (iPad; CPU OS 18_4 like Mac OS X) {_APPLE} Version/18.4 Safari/604.1",),
}
_MODELS = (
    ("Apple", "iPhone15,4", "iPhone", "ios", "iOS", "18.4"),
    ("samsung", "SM-S931B", "Galaxy S25", "android", "Android", "15"),
    ("Xiaomi", "2312DRA50G", "Redmi Note 13", "android", "Android", "14"),
    ("Apple", "iPhone14,7", "iPhone", "ios", "iOS", "17.7"),
    ("motorola", "moto g54", "moto g54", "android", "Android", "13"),
    ("Google", "Pixel 9", "Pixel 9", "android", "Android", "15"),
)
_LOCALES = {"ES": "es-ES", "MX": "es-MX", "AR": "es-AR", "CO": "es-CO"}
_ZONES = {
    "ES": "Europe/Madrid",
    "MX": "America/Mexico_City",
    "AR": "America/Argentina/Buenos_Aires",
    "CO": "America/Bogota",
}
_WEB_LIBRARY = {"name": "analytics.js", "version": "npm:next-1.84.3"}
_WEB_INTEGRATIONS = {"Segment.io": True}
_WEB_METADATA: Message = {"bundled": ["Segment.io"], "unbundled": [], "bundledIds": []}
_SERVER_LIBRARY = {"name": "analytics-python", "version": "2.4.0"}
_NOTHING: Message = {}


class Fact(NamedTuple):
    """One message with what is true about it. `source` is an index into SOURCES; times are microseconds UTC."""

    sent: int
    occurred: int
    source: int
    message: Message
    person: int
    skew: int = 0
    late: bool = False
    duplicate: bool = False
    reason: str = ""


@lru_cache(maxsize=128)
def _date(day: int) -> str:
    return to_iso(day * DAY)[:10]


def iso_milliseconds(moment: int) -> str:
    """ISO 8601 in UTC with milliseconds and a Z, as browsers write it."""
    day, rest = divmod(moment, DAY)
    milliseconds = rest // 1000
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{_date(day)}T{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.{milliseconds:03d}Z"


class Scribe:
    """Writes the visits of people, one after the other: `begin`, then what happens, then read `facts`.

    `person` is who acts; `clock` is the moment of the next event; `skew` how far the clock of this person's own
    devices is off, in microseconds.
    """

    def __init__(self, people: People, session_key: int, dice: Dice) -> None:
        self.people = people
        self.dice = dice
        self.facts: list[Fact] = []
        self._session_key = session_key
        self._serial = 0
        self._token = ""

    def begin(self, person: Person, day: int, clock: int, visit: int, skew: int) -> None:
        """Starts a visit; (person, visit) must be unique in the world."""
        self.person = person
        self.day = day
        self.clock = clock
        self.facts = []
        self.skew = skew
        word = draw(self._session_key, person.number, visit)
        self.dice.roll(word)
        token = f"{word:016x}"
        self._token = f"{token[:8]}-{token[8:12]}-4{token[12:15]}-8{token[13:16]}-"
        self._serial = 0
        self.user_id: str | None = None
        self.anonymous_id = ""
        self.context: Message = _NOTHING
        self.page_now: Message = _NOTHING
        self.app_context: Message = _NOTHING

    def wait(self, seconds: float) -> None:
        """Lets a while pass: between half and one and a half times `seconds`."""
        self.clock += int((0.5 + self.dice.share()) * seconds * SECOND)

    def _id(self, prefix: str) -> str:
        self._serial += 1
        return f"{prefix}{self.clock // 1000}-{self._token}{self._serial:012x}"

    def _append(self, source: int, message: Message, skew: int, delay: int) -> None:
        message["timestamp"] = iso_milliseconds(self.clock + skew)
        self.facts.append(Fact(self.clock + delay, self.clock, source, message, self.person.number, skew))

    # Web

    def open_browser(self, browser: str, campaign: Message | None = None) -> None:
        """The person opens *phone*, *laptop* or *tablet*, perhaps through a link of a campaign."""
        person = self.person
        self.anonymous_id = self.people.anonymous_id(person, browser, self.day)
        agents = _AGENTS[browser]
        country = person.household.city.country
        self.context = {
            "userAgent": agents[person.browser % len(agents)],
            "locale": _LOCALES[country],
            "library": _WEB_LIBRARY,
            "timezone": _ZONES[country],
        }
        self.search = ""
        if campaign:
            self.context["campaign"] = campaign
            name, source, medium = (campaign[field] for field in ("name", "source", "medium"))
            self.search = f"?utm_source={source}&utm_medium={medium}&utm_campaign={name}"
            if medium == "cpc":
                self.search += f"&gclid=Cj0KCQ{draw(self._session_key, person.number, -self.day - 1):016x}"
        self.referrer = "https://www.google.es/" if self.dice.hits(0.5) else ""

    def page(self, path: str, title: str, category: str = "") -> None:
        """A page is viewed; it stays the context of the events that follow."""
        self.page_now = {
            "path": path,
            "referrer": self.referrer,
            "search": self.search,
            "title": f"{title} | Ribera",
            "url": f"{SHOP}{path}{self.search}",
        }
        self.referrer, self.search = f"{SHOP}{path}", ""
        message: Message = {
            "timestamp": "",
            "integrations": _WEB_INTEGRATIONS,
            "type": "page",
            "properties": {**self.page_now, "name": title, "category": category},
            "name": title,
            "category": category,
        }
        self._web(message)

    def web(self, event: str, properties: Message) -> None:
        self._web(
            {
                "timestamp": "",
                "integrations": _WEB_INTEGRATIONS,
                "event": event,
                "type": "track",
                "properties": properties,
            }
        )

    def log_in(self) -> None:
        """The person logs in: from here on the events carry the user id."""
        person = self.person
        self.user_id = person.user_id
        traits: Message = {"firstName": person.given, "lastName": person.surnames[0]}
        if person.email:
            traits["email"] = person.email
        self._web({"timestamp": "", "integrations": _WEB_INTEGRATIONS, "type": "identify", "traits": traits})

    def log_out(self) -> None:
        self.user_id = None

    def _web(self, message: Message) -> None:
        message["context"] = {"page": self.page_now, **self.context}
        message["messageId"] = self._id("ajs-next-")
        message["anonymousId"] = self.anonymous_id
        message["userId"] = self.user_id
        message["_metadata"] = _WEB_METADATA
        self._append(WEB, message, self.skew, 300_000)

    # App

    def open_app(self) -> None:
        """The app is opened; whoever has it is logged in."""
        person = self.person
        maker, model, name, kind, system, version = _MODELS[person.phone_model]
        country = person.household.city.country
        self.app_context = {
            "app": {"name": "Ribera", "version": "5.12.0", "build": "5120", "namespace": "example.ribera.tienda"},
            "device": {
                "id": person.app_device,
                "manufacturer": maker,
                "model": model,
                "name": name,
                "type": kind,
                "token": person.push_token,
                "adTrackingEnabled": False,
            },
            "library": {"name": "analytics-swift" if kind == "ios" else "analytics-kotlin", "version": "1.7.3"},
            "locale": _LOCALES[country],
            "network": {"wifi": self.dice.hits(0.6), "cellular": True, "carrier": "Movistar", "bluetooth": False},
            "os": {"name": system, "version": version},
            "screen": {"width": 1179, "height": 2556, "density": 3},
            "timezone": _ZONES[country],
        }
        self.app("Application Opened", {"from_background": self.dice.hits(0.4), "version": "5.12.0", "build": "5120"})

    def screen(self, name: str) -> None:
        self._app(
            {"timestamp": "", "integrations": _NOTHING, "type": "screen", "name": name, "properties": {"name": name}}
        )

    def app(self, event: str, properties: Message) -> None:
        self._app(
            {"timestamp": "", "integrations": _NOTHING, "type": "track", "event": event, "properties": properties}
        )

    def _app(self, message: Message) -> None:
        message["context"] = self.app_context
        message["messageId"] = self._id("")
        message["anonymousId"] = self.person.app_device.lower()
        message["userId"] = self.person.user_id
        self._append(APP, message, self.skew, 15 * SECOND)

    # Servers of the other channels

    def till(
        self,
        event: str,
        properties: Message,
        till: str,
        *,
        loyalty: str = "",
        pos_number: str = "",
        traits: Message = _NOTHING,
    ) -> None:
        """An event of a till; without loyalty card, customer number and traits it names nobody."""
        context: Message = {
            "library": {"name": "till-gateway", "version": "3.2.1"},
            "device": {"id": till, "type": "till"},
        }
        if loyalty:
            context["externalIds"] = [_external("loyalty", loyalty)]
        if traits:
            context["traits"] = traits
        message = _server_track(event, properties, context, self._id("pos-"))
        if pos_number:
            message["userId"] = pos_number
        self._append(POS, message, 0, 20 * SECOND)

    def tablet(self, event: str, properties: Message, store: Store) -> None:
        """An event of the shared tablet of a store."""
        message = _server_track(event, properties, _tablet_context(store.id), self._id("tab-"))
        message["anonymousId"] = store.tablet
        self._append(TABLET, message, 0, 5 * SECOND)

    def tablet_registration(self, store: Store) -> None:
        """A sales assistant types in the customer's name and e-mail address."""
        person = self.person
        email = self.people.typed_email(person, "store_tablet")
        message = _server_identify({"firstName": person.called, "lastName": person.surnames[0]}, self._id("tab-"))
        message["context"] = _tablet_context(store.id)
        if email:
            message["traits"]["email"] = email.upper() if self.dice.hits(0.05) else email
        message["anonymousId"] = store.tablet
        self._append(TABLET, message, 0, 5 * SECOND)

    def call(self, event: str, properties: Message) -> None:
        """An event of the call centre: it knows the number that calls, sometimes the household's landline."""
        person = self.person
        home = person.household.landline
        number = home if home and person.number % 5 == 0 else self.people.typed_mobile(person, "call_center")
        traits = {"phone": spoken_phone(number, self._serial + person.number)}
        message = _server_track(event, properties, {"library": _SERVER_LIBRARY, "traits": traits}, self._id("cti-"))
        self._append(CALLS, message, 0, 10 * SECOND)

    def email(self, event: str, properties: Message) -> None:
        context = {"library": _SERVER_LIBRARY, "traits": {"email": self.person.email}}
        self._append(EMAIL, _server_track(event, properties, context, self._id("esp-")), 0, 60 * SECOND)

    def whatsapp(self, event: str, properties: Message) -> None:
        context = {"library": _SERVER_LIBRARY, "traits": {"phone": self.person.mobile}}
        self._append(WHATSAPP, _server_track(event, properties, context, self._id("wamid-")), 0, 3 * SECOND)

    def social(self, event: str, properties: Message, traits: Message = _NOTHING) -> None:
        """An event of a social network: by handle; a lead form adds the e-mail and telephone that were left there."""
        context: Message = {"library": _SERVER_LIBRARY}
        if self.person.instagram:
            context["externalIds"] = [_external("instagram", self.person.instagram)]
        if traits:
            context["traits"] = traits
        self._append(SOCIAL, _server_track(event, properties, context, self._id("soc-")), 0, 90 * SECOND)

    def crm(self) -> None:
        """The nightly record of the CRM, with its own key and what its clerks typed."""
        person = self.person
        house = person.household
        traits: Message = {
            "firstName": person.given,
            "lastName": f"{person.surnames[0]} {person.surnames[1]}",
            "phone": spoken_phone(self.people.typed_mobile(person, "crm"), person.number),
            "birthday": person.birth_date,
            "gender": person.gender,
            "address": {
                "street": house.street,
                "city": house.city.name,
                "postalCode": house.postcode,
                "country": house.city.country,
            },
        }
        if person.loyalty and person.number % 2 == 0:
            traits["loyalty_number"] = person.loyalty
        email = self.people.typed_email(person, "crm")
        if email:
            traits["email"] = email
        message = _server_identify(traits, self._id("crm-"))
        message["userId"] = person.crm_id
        self._append(CRM, message, 0, 30 * MINUTE)

    def survey(self, event: str, properties: Message) -> None:
        context = {"library": _SERVER_LIBRARY, "traits": {"email": self.person.email}}
        self._append(SURVEY, _server_track(event, properties, context, self._id("srv-")), 0, 10 * SECOND)


@lru_cache(maxsize=64)
def _tablet_context(store_id: str) -> Message:
    return {
        "library": {"name": "store-tablet", "version": "1.8.0"},
        "device": {"id": f"TAB-{store_id}", "type": "tablet"},
        "app": {"name": "Ribera Asistente", "version": "1.8.0"},
        "locale": "es-ES",
    }


def _external(kind: str, value: str) -> Message:
    return {"id": value, "type": kind, "collection": "users", "encoding": "none"}


def _server_track(event: str, properties: Message, context: Message, message_id: str) -> Message:
    return {
        "timestamp": "",
        "integrations": _NOTHING,
        "type": "track",
        "event": event,
        "properties": properties,
        "context": context,
        "messageId": message_id,
    }


def _server_identify(traits: Message, message_id: str) -> Message:
    return {
        "timestamp": "",
        "integrations": _NOTHING,
        "type": "identify",
        "traits": traits,
        "context": {"library": _SERVER_LIBRARY},
        "messageId": message_id,
    }
