"""How the pages say things in each language: numbers, money, days, names of traits, and why a value won."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
import yaml
from markupsafe import Markup, escape

from cauce.model import SECOND
from cauce.model.time import to_datetime

SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}
ADDRESS = ("street", "postalCode", "city", "state", "country")


@cache
def texts() -> dict[str, dict[str, Any]]:
    """Every text of the pages by language."""
    loaded: dict[str, dict[str, Any]] = yaml.safe_load((files(__package__) / "texts.yaml").read_text("utf-8"))
    return loaded


def code(text: str) -> Markup:
    """A text with its `commands` set as code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else part for index, part in enumerate(parts)
    )


class Words:
    """One language: what it calls things and how it writes values."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.t = texts()[language]

    # -- values -------------------------------------------------------------------------------------------------

    def number(self, value: float) -> str:
        """1,234.5 or 1.234,5; two decimals at most."""
        text = f"{value:,}" if isinstance(value, int) else f"{value:,.2f}".rstrip("0").rstrip(".")
        return self._marks(text)

    def money(self, amount: float, currency: str) -> str:
        """€62.90 or 62,90 €; the code of a currency without a common sign; a bare number when it has none."""
        text = self._marks(f"{amount:,.2f}")
        if not currency:
            return text
        sign = SIGNS.get(currency.upper(), "")
        return f"{sign}{text}" if sign and self.language == "en" else f"{text}\u00a0{sign or currency}"

    def _marks(self, text: str) -> str:
        return text.translate(str.maketrans(",.", ".,")) if self.language == "es" else text

    def day(self, moment: int | None) -> str:
        """21 November 2026 / 21 de noviembre de 2026; a dash for never."""
        if moment is None:
            return "–"
        day = to_datetime(moment)
        between = " de " if self.language == "es" else " "
        return between.join((str(day.day), self.t["months"].split()[day.month - 1], str(day.year)))

    def short_day(self, moment: int) -> str:
        """21 Nov 2026 / 21 nov 2026."""
        day = to_datetime(moment)
        return f"{day.day} {self.t['months'].split()[day.month - 1][:3]} {day.year}"

    def ago(self, moment: int) -> str:
        """How long ago, in the largest unit that fits."""
        seconds = max(0, (time.time_ns() // 1_000 - moment) // SECOND)
        for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
            if seconds >= size or unit == "s":
                text = f"{seconds // size} {unit}"
                break
        return str(self.t["ago"]).format(text)

    def value(self, value: Any) -> str:
        """Any value as text: lists with commas, addresses as on an envelope, dates written out."""
        if value is None:
            return "–"
        if isinstance(value, bool):
            return str(self.t["yes"] if value else self.t["no"])
        if isinstance(value, int | float):
            return self.number(value)
        if isinstance(value, list | tuple):
            return ", ".join(map(self.value, value)) or "–"
        if isinstance(value, Mapping):
            known = [value[part] for part in ADDRESS if value.get(part)]
            if known and len(known) == len([part for part in value.values() if part]):
                return self.value(known)
            return ", ".join(f"{self.plain(str(name))}: {self.value(part)}" for name, part in value.items())
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return self._written_day(text)
        return text

    def _written_day(self, text: str) -> str:
        year, month, day = map(int, text.split("-"))
        if not 1 <= month <= 12:
            return text
        between = " de " if self.language == "es" else " "
        return between.join((str(day), self.t["months"].split()[month - 1], str(year)))

    # -- names --------------------------------------------------------------------------------------------------

    def channel(self, name: str) -> str:
        return str(self.t["channels"].get(name, self.plain(name)))

    def kind(self, name: str) -> str:
        return str(self.t["kinds"].get(name, self.plain(name)))

    def trait(self, name: str) -> str:
        return str(self.t["traits"].get(name, self.plain(name)))

    def computed(self, name: str) -> str:
        return str(self.t["computed_names"].get(name, self.plain(name)))

    def computed_rank(self, name: str) -> tuple[int, str]:
        """Where a computed trait stands: ours in their own order, then the others by name."""
        known = list(self.t["computed_names"])
        return (known.index(name) if name in known else len(known), name)

    @staticmethod
    def plain(name: str) -> str:
        """`favourite_store` and `favouriteStore` as words."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").lower()

    # -- sentences ----------------------------------------------------------------------------------------------

    def why(self, trait: Any) -> str:
        """Why a value of the golden record won, from its rule, its source and its day."""
        if trait.rule == "steward":
            by, _, reason = trait.why.partition(" decided it")
            said = str(self.t["rules"]["steward"]).format(by=by, day=self.day(trait.occurred))
            return said + (f": {reason.removeprefix(': ')}" if reason else "")
        rule = trait.rule if trait.others else "only"
        text = str(self.t["rules"].get(rule, "{source}, {day}"))
        return text.format(source=trait.source, day=self.day(trait.occurred))

    def evidence(self, link: Any) -> str:
        """What was seen that names two identifiers together."""
        day = self.day(link.occurred)
        if link.rule == "steward":
            return str(self.t["evidence_steward"]).format(source=link.source, day=day)
        times = "×1" if link.support <= 1 else f"×{link.support}{'+' if link.support >= 4 else ''}"
        return f"{link.source} · {day} · {times}"

    def kept_apart(self, link: Any) -> str:
        """Why a link joins nobody."""
        detail = self.kind(link.detail) if ":" not in link.detail else link.detail
        return str(self.t["reasons"].get(str(link.why), str(link.why))).format(detail)

    def count(self, key: str, number: int) -> str:
        """A number with its noun: `events` or `event`."""
        return f"{self.number(number)} {self.t[key + '_one' if number == 1 else key]}"


@cache
def words_of(language: str) -> Words:
    """The words of a language that `texts` knows."""
    return Words(language)


def joined(parts: Sequence[str]) -> str:
    """Parts that say something, with points between."""
    return " · ".join(part for part in parts if part)
