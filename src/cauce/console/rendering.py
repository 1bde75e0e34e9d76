"""Templates: escaped by themselves, strict about names, in the words of the visit."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup, escape

from cauce import __version__
from cauce.console.catalogues import catalogues
from cauce.console.static_files import files, url_of
from cauce.console.words import Words, words_of

FOLDER = "templates"
"""Where an installation keeps compiled templates."""


def code(text: str) -> Markup:
    """A text with its `commands` set as code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else part for index, part in enumerate(parts)
    )


def icon(name: str, title: str = "") -> Markup:
    """A symbol of `static/icons.svg`; hidden from screen readers unless it has a title."""
    label = Markup(' role="img" aria-label="{}"').format(title) if title else Markup(' aria-hidden="true"')
    return Markup('<svg class="icon"{}><use href="{}#{}"></use></svg>').format(label, url_of("icons.svg"), name)


@cache
def templates() -> Environment:
    """Every template; the functions that translate come with what is rendered, so that one compiled form serves all."""
    environment = Environment(
        loader=PackageLoader("cauce.console", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"],
    )
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    environment.globals.update({"icon": icon, "static": url_of, "has_static": lambda name: name in files()})
    environment.filters["code"] = code
    return environment


class _Kept(FileSystemBytecodeCache):
    """Compiled templates in a folder; where that is full or gone, nothing is kept, and pages are shown all the same."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)

    def load_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().load_bytecode(bucket)


def keep_compiled(folder: Path) -> None:
    """Keeps compiled templates in a folder that is ours alone, so that the next start need not compile them again.

    One folder for a process. A template that changed is compiled anew, and all are after another release.
    """
    environment = templates()
    if environment.bytecode_cache is not None:
        return
    release = f"-{__version__}-{version('jinja2')}.compiled"
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        for path in folder.iterdir():
            if not path.name.endswith(release):
                path.unlink()
    environment.bytecode_cache = _Kept(str(folder), f"%s{release}")


def warm(folders: Sequence[str]) -> None:
    """Compiles what all pages share and the templates of some folders, and reads what they say and show."""
    for language in catalogues():
        words_of(language).moment(0)
    files()
    for name in templates().list_templates(["html"]):
        if name.rpartition("/")[0] in ("", *folders):
            templates().get_template(name)


def prepare(data: Path) -> None:
    """Compiles every template of an installation's console, once for each release; takes seconds.

    For a process in which nobody waits: what it keeps serves the doors.
    """
    keep_compiled(data / FOLDER)
    for name in templates().list_templates(["html"]):
        templates().get_template(name)


@lru_cache(maxsize=64)
def _sayings(words: Words) -> dict[str, Any]:
    """`_("…")`, `gettext`, `ngettext`, `pgettext` in some words, and the pieces of `parts.html` that say them."""

    def gettext(text: str, /, **values: Any) -> Markup:
        # A translation is ours and may hold markup; what is filled in is not and gets escaped.
        return Markup(words.say(text)) % values  # noqa: S704 - ours

    def ngettext(one: str, many: str, number: int, /, **values: Any) -> Markup:
        said = {**values, "num": words.number(number)}
        return Markup(words.plural(one, many, number)) % said  # noqa: S704 - ours

    def pgettext(context: str, text: str, /, **values: Any) -> Markup:
        return Markup(words.say_in(context, text)) % values  # noqa: S704 - ours

    found: dict[str, Any] = {"_": gettext, "gettext": gettext, "ngettext": ngettext, "pgettext": pgettext}
    return {**found, "ui": templates().get_template("parts.html").make_module(found)}


def rendered(template: str, values: dict[str, Any], words: Words) -> str:
    return templates().get_template(template).render({**_sayings(words), "words": words, **values})
