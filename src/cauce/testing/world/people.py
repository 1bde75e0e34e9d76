"""People and households: who they are, what they own, and how clerks misspell them.

Person `i` is a pure function of (seed, i), and so is a household: nobody has to be made before anybody else, and nobody
is kept. Every twelve people in a row share a pattern of households of one to five.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import NamedTuple

import numpy
from numpy.typing import NDArray

from cauce.testing.world.chance import Dice, Integers, Shares, draw, key, share, shares
from cauce.testing.world.names import CITIES, EMAIL_DOMAINS, GIVEN, STREETS, SURNAMES, City
from cauce.testing.world.products import check_digit

BLOCK = 12
_PATTERNS = ((1, 2, 3, 4, 2), (5, 1, 2, 4), (2, 2, 1, 3, 4), (1, 1, 4, 2, 1, 3), (3, 5, 2, 2), (2, 1, 5, 4))
_SEATS = tuple(
    tuple((house, member, size) for house, size in enumerate(pattern) for member in range(size))
    for pattern in _PATTERNS
)
SEGMENTS = ("loyal", "regular", "occasional", "new")
_SEGMENT_BOUNDS = (0.15, 0.55, 0.85)
JOURNEYS_PER_DAY = (0.07, 0.045, 0.025, 0.02)
"""Chance that somebody of each segment begins a journey on a given day."""
_CITY_POOL = tuple(city for city in CITIES for _ in range(city.weight))
PEOPLE_MAX = 10_000_000
"""More people would not all get a telephone number of their own."""
COOKIE_DAYS_SHORT = 14
_HUMAN_CHANNELS = ("store_tablet", "call_center", "crm")
TYPO_SHARE = 0.08
"""Share of the people whose e-mail or telephone number a channel with clerks knows only misspelt."""


_PURPOSES = ("segment", "person", "house", "pattern", "cookie", "typo", "email", "crm_id", "withdrawn")
SHARES = {"email": 0.93, "crm_id": 0.6, "withdrawn": 0.04}
"""Share of the people who have an e-mail address, whom the CRM knows, who take their consent back."""


class Household(NamedTuple):
    """People at one address. `family_email`, `landline` and `shared_loyalty` are empty where there is none."""

    id: int
    size: int
    city: City
    street: str
    postcode: str
    surnames: tuple[str, str, str, str]
    landline: str
    family_email: str
    shared_loyalty: str
    tablet: bool


class Person(NamedTuple):
    """Somebody, with all identifiers in their true form; empty texts where there is none."""

    number: int
    household: Household
    segment: str
    given: str
    called: str
    gender: str
    surnames: tuple[str, str]
    birth_date: str
    email: str
    mobile: str
    user_id: str
    loyalty: str
    crm_id: str
    pos_numbers: tuple[str, str]
    app_device: str
    push_token: str
    phone_model: int
    browser: int
    cookie_days: int
    instagram: str

    @property
    def email_is_shared(self) -> bool:
        return bool(self.email) and self.email == self.household.family_email

    @property
    def loyalty_is_shared(self) -> bool:
        return bool(self.loyalty) and self.loyalty == self.household.shared_loyalty

    @property
    def name(self) -> str:
        return f"{self.given} {self.surnames[0]} {self.surnames[1]}"

    def pos_number(self, system: str) -> str:
        return self.pos_numbers[0 if system == "A" else 1]


class People:
    """All people of a world; asks for nothing but a number."""

    def __init__(self, seed: int, count: int, days: int) -> None:
        if not 1 <= count <= PEOPLE_MAX:
            raise ValueError(f"expected people to be 1–{PEOPLE_MAX}, got {count}")
        self.count = count
        self.days = days
        self._keys = {name: key(seed, name) for name in _PURPOSES}
        self._dice, self._house_dice = Dice(), Dice()
        self.person = lru_cache(maxsize=256)(self._person)
        self.household = lru_cache(maxsize=128)(self._household)

    def segment_codes(self, people: Integers) -> Integers:
        """Index into SEGMENTS of each of `people`."""
        found: Integers = numpy.searchsorted(_SEGMENT_BOUNDS, self._segment_shares(people), side="right").astype(
            numpy.int64
        )
        return found

    def has(self, index: int, what: str) -> bool:
        """Whether `what` of SHARES holds for a person."""
        return share(self._keys[what], index) < SHARES[what]

    def which_have(self, people: Integers, what: str) -> NDArray[numpy.bool_]:
        """`has` for each of `people`."""
        return shares(self._keys[what], people) < SHARES[what]

    def _segment_shares(self, people: Integers) -> Shares:
        return shares(self._keys["segment"], people)

    def seat(self, index: int) -> tuple[int, int, int]:
        """(household, place in it, its full size) of a person."""
        block, place = divmod(index, BLOCK)
        pattern = draw(self._keys["pattern"], block) % len(_SEATS)
        house, member, size = _SEATS[pattern][place]
        return block * 8 + house, member, size

    def members(self, index: int) -> range:
        """Everybody who lives with person `index`, that person included."""
        _, member, size = self.seat(index)
        return range(index - member, min(index - member + size, self.count))

    def anonymous_id(self, person: Person, browser: str, day: int) -> str:
        """Anonymous id of *phone*, *laptop* or *tablet* on a day; it changes when cookies are cleared.

        The tablet belongs to the household and keeps its cookies.
        """
        if browser == "tablet":
            return _uuid(self._keys["cookie"], -1 - person.household.id, 0)
        epoch = (day + person.number % person.cookie_days) // person.cookie_days
        return _uuid(self._keys["cookie"], person.number, epoch * 2 + (browser == "laptop"))

    def anonymous_ids(self, person: Person) -> list[str]:
        """All anonymous ids that this person's own browsers ever carry."""
        days = (
            range(0, self.days + person.cookie_days, person.cookie_days)
            if person.cookie_days < self.days
            else (0, self.days)
        )
        found = {
            self.anonymous_id(person, browser, min(day, self.days)) for day in days for browser in ("phone", "laptop")
        }
        return sorted(found)

    def typed_email(self, person: Person, channel: str) -> str:
        """The e-mail as `channel` knows it: misspelt for ever at TYPO_SHARE where a clerk has typed it."""
        return self._typed(person, channel, "email") if person.email else ""

    def typed_mobile(self, person: Person, channel: str) -> str:
        """The mobile number as `channel` knows it, in E.164."""
        return self._typed(person, channel, "mobile")

    def wrong_identifiers(self, person: Person) -> list[tuple[str, str]]:
        """(kind, value) of the misspelt forms that exist of this person's e-mail and telephone number."""
        found = set()
        for channel in _HUMAN_CHANNELS:
            email, mobile = self.typed_email(person, channel), self.typed_mobile(person, channel)
            if email != person.email:
                found.add(("email", email))
            if mobile != person.mobile:
                found.add(("phone", mobile))
        return sorted(found)

    def _typed(self, person: Person, channel: str, what: str) -> str:
        true = person.email if what == "email" else person.mobile
        if channel not in _HUMAN_CHANNELS:
            return true
        word = draw(self._keys["typo"], person.number, _HUMAN_CHANNELS.index(channel) * 2 + (what == "email"))
        if (word >> 11) * 2.0**-53 >= TYPO_SHARE:
            return true
        return mistype_email(true, word & 0xFFFF) if what == "email" else mistype_phone(true, word & 0xFFFF)

    def _household(self, number: int, size: int) -> Household:
        dice = self._house_dice
        dice.roll(draw(self._keys["house"], number))
        city: City = dice.pick(_CITY_POOL)
        surnames = tuple(dice.pick(SURNAMES) for _ in range(4))
        landline = city.landline + _digits(number * 7, (12 if city.country == "ES" else 13) - len(city.landline))
        family = f"familia.{_plain(surnames[0])}.h{number}@{dice.pick(EMAIL_DOMAINS)}"
        return Household(
            number,
            size,
            city,
            f"{dice.pick(STREETS)}, {1 + dice.below(120)}",
            city.postcode + f"{1 + dice.below(60):0{5 - len(city.postcode)}d}",
            (surnames[0], surnames[1], surnames[2], surnames[3]),
            landline if dice.hits(0.5) else "",
            family if size > 1 and dice.hits(0.12) else "",
            _loyalty(number * 2 + 1) if size > 1 and dice.hits(0.15) else "",
            size > 1 and dice.hits(0.6),
        )

    def _person(self, index: int) -> Person:
        number, member, size = self.seat(index)
        house = self.household(number, size)
        dice = self._dice
        dice.roll(draw(self._keys["person"], index))
        given = dice.pick(GIVEN)
        first, second, third, fourth = house.surnames
        surnames = ((first, second), (third, fourth), (first, third))[min(member, 2)]
        called = dice.pick(given.short) if given.short and dice.hits(0.4) else given.name
        year = (1945 if member < 2 else 1985) + dice.below(45 if member < 2 else 25)
        own = _email(called if dice.hits(0.5) else given.name, surnames, index, dice)
        email = house.family_email if house.family_email and member and dice.hits(0.7) else own
        if not self.has(index, "email"):
            email = ""
        account = bool(email) and dice.hits(0.72)
        holder = dice.hits(0.55)
        code = index * 3 + 1
        app = account and dice.hits(0.55)
        return Person(
            index,
            house,
            self._segment_of(index),
            given.name,
            called,
            given.gender,
            surnames,
            f"{year}-{1 + dice.below(12):02d}-{1 + dice.below(28):02d}",
            email,
            _mobile(house.city.country, index),
            f"u{_digits(code, 9)}" if account else "",
            (house.shared_loyalty or _loyalty(index * 2)) if holder else "",
            f"C{_digits(code + 1, 9)}" if self.has(index, "crm_id") else "",
            (
                f"A-{_digits(index * 2, 8)}" if dice.hits(0.2) else "",
                f"B-{_digits(index * 2 + 1, 8)}" if dice.hits(0.2) else "",
            ),
            _uuid(self._keys["cookie"], index, -7).upper() if app else "",
            f"fcm-{draw(self._keys['cookie'], index, -8):016x}" if app else "",
            dice.below(6),
            dice.below(6),
            COOKIE_DAYS_SHORT if dice.hits(0.2) else 10_000,
            f"{_plain(called)}_{_plain(surnames[0])}{index}" if dice.hits(0.3) else "",
        )

    def _segment_of(self, index: int) -> str:
        value = share(self._keys["segment"], index)
        return SEGMENTS[sum(value >= bound for bound in _SEGMENT_BOUNDS)]


def mistype_email(email: str, chance: int) -> str:
    """A slip that keeps the number in the address, so that it never becomes somebody else's."""
    local, _, domain = email.partition("@")
    if chance % 3 == 0:
        return f"{local}@{domain[0]}{domain[2]}{domain[1]}{domain[3:]}"
    place = 1 + chance // 3 % 3
    if chance % 3 == 1:
        return f"{local[:place]}{local[place]}{local[place:]}@{domain}"
    return f"{local[:place]}{local[place + 1 :]}@{domain}"


def mistype_phone(number: str, chance: int) -> str:
    """One of the last six digits is another one."""
    place = len(number) - 1 - chance % 6
    digit = (int(number[place]) + 1 + chance // 6 % 9) % 10
    return f"{number[:place]}{digit}{number[place + 1 :]}"


def spoken_phone(number: str, style: int) -> str:
    """A telephone number as people write it; only Spanish ones lose their country code."""
    if not number.startswith("+34"):
        return (number, number.replace("+", "00"))[style % 2]
    local = number[3:]
    return (
        number,
        local,
        f"{local[:3]} {local[3:5]} {local[5:7]} {local[7:]}",
        f"{local[:3]}-{local[3:6]}-{local[6:]}",
    )[style % 4]


@lru_cache(maxsize=4_096)
def _plain(name: str) -> str:
    """Lower-case ASCII letters of a name."""
    decomposed = unicodedata.normalize("NFD", name.lower())
    return "".join(letter for letter in decomposed if "a" <= letter <= "z")


def _email(called: str, surnames: tuple[str, str], index: int, dice: Dice) -> str:
    given, first, domain = _plain(called), _plain(surnames[0]), dice.pick(EMAIL_DOMAINS)
    match dice.below(5):
        case 0:
            return f"{given}.{first}{index}@{domain}"
        case 1:
            return f"{given}{first}{index}@{domain}"
        case 2:
            return f"{given[:1]}{first}{_plain(surnames[1])[:1]}{index}@{domain}"
        case 3:
            return f"{first}.{given}.{index}@{domain}"
        case _:
            return f"{given}_{index}@{domain}"


def _digits(number: int, width: int) -> str:
    """A number without visible order; different numbers below 10**width give different digits."""
    modulus = 10**width
    return str((number * 76_543_219 + 1_234_577) % modulus).zfill(width)


def _mobile(country: str, index: int) -> str:
    if country == "MX":
        return "+5255" + _digits(index, 8)
    if country == "AR":
        return "+549114" + _digits(index, 7)
    if country == "CO":
        return "+57310" + _digits(index, 7)
    return "+346" + _digits(index, 8)


def _loyalty(number: int) -> str:
    """A card number: 13 digits that begin with 29 and end with a check digit."""
    body = "29" + _digits(number, 10)
    return body + check_digit(body)


def _uuid(purpose_key: int, first: int, second: int) -> str:
    high, low = draw(purpose_key, first, second), draw(purpose_key + 1, first, second)
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
