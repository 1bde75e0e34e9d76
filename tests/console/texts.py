"""Writes what the console says and nobody has translated yet into the catalogues: `-m tests.console.texts [AREA …]`.

One file per language and area, so that two people who write two areas do not write into one file. What was translated
stays, what is said no more goes; what another area says already comes translated.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Collection
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

from tests.console.sayings import sayings

CONSOLE = Path(__file__).resolve().parents[2] / "src/cauce/console"
LOCALES = CONSOLE / "locales"
FRAME = "frame"
PYTHON_WORDS = {"marked": None, "say": None, "say_in": ((1, "c"), 2), "count": (1, 2)}
PYTHON_CALLS = "|".join(rf"\b{word}\s*\(" for word in PYTHON_WORDS).encode()
TEMPLATE_WORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
TEMPLATE_OPTIONS = {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}
EXTENSIONS = "jinja2.ext.do,jinja2.ext.loopcontrols"
Key = tuple[str, str]
"""(context, text)"""


def languages() -> list[str]:
    """Every language but English, which stands in the sources."""
    return sorted(folder.name for folder in LOCALES.iterdir() if folder.is_dir())


def area_of(path: Path) -> str:
    """The area whose catalogue holds the texts of a file; `frame` for what all areas share."""
    inside = path.relative_to(CONSOLE).parts
    if inside[0] == "templates":
        return inside[1] if len(inside) > 2 else FRAME
    if inside[0] != "areas":
        return FRAME
    known = {folder.name for folder in (CONSOLE / "templates").iterdir() if folder.is_dir()}
    fitting = [name for name in known if path.stem == name or path.stem.startswith(f"{name}_")]
    return max(fitting, key=len, default=path.stem)


@cache
def said() -> dict[str, dict[Key, Message]]:
    """Every text of the console by area, and by package what the rest of Cauce says through it."""
    found: dict[str, dict[Key, Message]] = {}
    for path in sorted([*CONSOLE.rglob("*.py"), *CONSOLE.rglob("*.html")]):
        texts = found.setdefault(area_of(path), {})
        for message in _extracted(path):
            texts.setdefault(key_of(message), message)
    return {area: texts for area, texts in (found | sayings()).items() if texts}


def _extracted(path: Path) -> list[Message]:
    is_template = path.suffix == ".html"
    method = "jinja2.ext:babel_extract" if is_template else "python"
    words = TEMPLATE_WORDS if is_template else PYTHON_WORDS
    options = {**TEMPLATE_OPTIONS, "extensions": EXTENSIONS} if is_template else {}
    text = path.read_bytes()
    if not is_template and not re.search(PYTHON_CALLS, text):
        return []  # most modules say nothing, and reading them takes long
    with io.BytesIO(text) as file:
        found = list(extract(method, file, words, (), options))
    return [Message(id, context=context, flags=("python-format",)) for _, id, _, context in found if id]


def key_of(message: Message) -> Key:
    text = message.id if isinstance(message.id, str) else message.id[0]
    return message.context or "", text


@cache
def translated(language: str) -> dict[str, dict[Key, Message]]:
    """What stands in a language's catalogues, by area."""
    found = {}
    for path in sorted((LOCALES / language).glob("*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language, ignore_obsolete=True)
        found[path.stem] = {key_of(message): message for message in catalogue if message.id}
    return found


def is_done(message: Message) -> bool:
    forms = message.string if isinstance(message.string, tuple | list) else (message.string,)
    return all(forms) and not message.fuzzy


def update(language: str, areas: Collection[str] = ()) -> int:
    """Writes the catalogues of some areas (of all, when none is named) anew; how many texts are not translated."""
    known = translated(language)
    elsewhere = {key: one for texts in known.values() for key, one in texts.items() if is_done(one)}
    missing = 0
    present = said()
    for area, texts in present.items():
        if areas and area not in areas:
            continue
        catalogue = Catalog(locale=language)
        for key, message in sorted(texts.items()):
            own = known.get(area, {}).get(key)
            before = own if own is not None and is_done(own) else elsewhere.get(key)
            many = not isinstance(message.id, str)
            if before is not None and (not isinstance(before.id, str)) == many:
                catalogue.add(message.id, before.string, context=message.context, flags=("python-format",))
            else:
                catalogue.add(message.id, ("", "") if many else "", context=message.context, flags=("python-format",))
                missing += 1
        _write(LOCALES / language / f"{area}.po", catalogue)
    for area in known.keys() - present.keys() if not areas else ():
        (LOCALES / language / f"{area}.po").unlink()
    return missing


def _write(path: Path, catalogue: Catalog) -> None:
    written = io.BytesIO()
    write_po(written, catalogue, width=0, no_location=True, omit_header=True)
    path.write_bytes(written.getvalue().strip() + b"\n")


def main() -> None:
    for language in languages():
        sys.stdout.write(f"{language}: {update(language, sys.argv[1:])} to translate\n")


if __name__ == "__main__":
    main()
