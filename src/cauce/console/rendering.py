"""Templates: escaped by themselves, strict about names, in the words of the visit."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from cauce.console.catalogues import catalogues
from cauce.console.static_files import files, url_of
from cauce.console.words import words_of


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
def templates(language: str) -> Environment:
    """The templates in one language: `_("…")`, `ngettext` and `{% trans %}` translate."""
    catalogue, words = catalogues()[language], words_of(language)
    environment = Environment(
        loader=PackageLoader("cauce.console", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"],
    )

    def gettext(text: str, /, **values: Any) -> Markup:
        # A translation is ours and may hold markup; what is filled in is not and gets escaped.
        return Markup(catalogue.text(text)) % values  # noqa: S704

    @pass_context
    def ngettext(context: Context, one: str, many: str, number: int, /, **values: Any) -> Markup:
        said = context.get("words", words).number(number)
        return Markup(catalogue.plural(one, many, number)) % {**values, "num": said}  # noqa: S704

    def pgettext(context: str, text: str, /, **values: Any) -> Markup:
        return Markup(catalogue.text(text, context)) % values  # noqa: S704

    environment.install_gettext_callables(gettext, ngettext, newstyle=True, pgettext=pgettext)  # type: ignore[attr-defined]
    environment.globals.update(
        {"gettext": gettext, "_": gettext, "ngettext": ngettext, "pgettext": pgettext, "icon": icon, "static": url_of}
    )
    environment.globals["has_static"] = lambda name: name in files()
    environment.filters["code"] = code
    environment.globals["ui"] = environment.get_template("parts.html").module
    return environment


def rendered(template: str, values: dict[str, Any], language: str) -> str:
    return templates(language).get_template(template).render(values)
