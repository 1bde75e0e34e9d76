"""The languages of the console: English as it stands in the sources, others from catalogues read at start.

A language is a folder of `locales` with one `.po` file per area, so that whoever adds an area adds a file. They are
read as they are; nothing has to be compiled.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from babel import Locale
from babel.messages.pofile import read_po

from cauce.console import sayings

SOURCE_LANGUAGE = "en"
Texts = dict[tuple[str, str], tuple[str, ...]]
"""(context, text) → its forms: one, or one per plural form."""


def marked(text: str) -> str:
    """A text that stands in the catalogues and is translated where it is shown."""
    return text


class Catalogue:
    """The texts of one language. A text that it does not have stays as it is."""

    def __init__(self, language: str, texts: Texts) -> None:
        self.language = language
        self.texts = texts
        self._plural = Locale.parse(language).plural_form
        self.said = sayings.Sayings(
            [(text, forms[0]) for (context, text), forms in texts.items() if context == sayings.CONTEXT]
        )

    def text(self, text: str, context: str = "") -> str:
        found = self.texts.get((context, text))
        return found[0] if found else text

    def plural(self, one: str, many: str, number: int) -> str:
        """The form for a number. Spanish and English have two: one, and all others."""
        found = self.texts.get(("", one)) or (one, many)
        return found[0] if self._plural(number) == "one" else found[-1]


@cache
def catalogues() -> dict[str, Catalogue]:
    """Every language by its code, in the order of their codes."""
    home = files("cauce.console") / "locales"
    found = {SOURCE_LANGUAGE: Catalogue(SOURCE_LANGUAGE, {})}
    for folder in home.iterdir():
        if folder.is_dir() and not folder.name.startswith("_"):
            found[folder.name] = Catalogue(folder.name, _texts(folder))
    return dict(sorted(found.items()))


def _texts(folder: Traversable) -> Texts:
    texts: Texts = {}
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".po"):
            continue
        with file.open("rb") as opened:
            for message in read_po(opened, locale=folder.name):
                if not message.id or message.fuzzy:
                    continue
                plural = isinstance(message.id, tuple)
                key = (message.context or "", message.id[0] if plural else str(message.id))
                forms = tuple(message.string) if isinstance(message.string, tuple | list) else (str(message.string),)
                if not all(forms):
                    continue
                texts.setdefault(key, forms)
    return texts
