"""Documentation that is true: links lead somewhere, examples run, commands exist."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from tests.house.run_page import blocks, runnable
from tests.house.tree import ROOT, name, pages

PAGES = pages()
WITH_EXAMPLES = [page for page in PAGES if any(map(runnable, blocks(page.read_text(encoding="utf-8"))))]
LINK = re.compile(r"(?<!\\)\[[^\]]*\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^(#+)\s+(.*?)\s*$", re.M)


def prose(page: Path) -> str:
    """A page without its code."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^( *)```.*?^\1```\s*$", "", text, flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", "`code`", text)


def anchors(page: Path) -> set[str]:
    """Where a link into a page may point, as the usual renderers name headings."""
    text = re.sub(r"^```.*?^```\s*$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    named = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))
    return named | {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title in HEADING.findall(text)}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    broken = []
    for match in LINK.finditer(prose(page)):
        target = match["target"]
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        if not place.exists() or (anchor and place.suffix == ".md" and anchor not in anchors(place)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("folder", ["docs", "docs/decisions"])
def test_every_page_can_be_found(folder):
    start = ROOT / folder / ("index.md" if folder == "docs" else "README.md")
    linked = {(start.parent / match["target"].split("#")[0]).resolve() for match in LINK.finditer(prose(start))}
    decisions = ROOT / "docs/decisions"
    own = [
        page for page in PAGES if (page.parent == decisions) == (folder == "docs/decisions") or page.name == "README.md"
    ]
    lost = [page for page in own if page not in {*linked, start} and (ROOT / folder) in page.parents]
    assert not list(map(name, lost))


@pytest.mark.soak
@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=map(name, WITH_EXAMPLES))
def test_examples_run(page, tmp_path):
    variables = {name: value for name, value in os.environ.items() if not name.startswith("CAUCE_")}
    tools = Path(sys.executable).parent
    run = subprocess.run(
        [sys.executable, "-W", "error", ROOT / "tests/house/run_page.py", page],
        cwd=tmp_path,
        env={**variables, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
        | {"CAUCE_DATA": str(tmp_path / "cauce-data")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, f"{name(page)}:\n{run.stdout[-2000:]}\n{run.stderr[-4000:]}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_examples_that_do_not_run_say_why(page):
    without = [
        f"{name(page)}:{block.line}"
        for block in blocks(page.read_text(encoding="utf-8"))
        if block.words.startswith("notest") and len(block.words.split()) < 3
    ]
    assert not without, "write: ```python notest: why it cannot run here"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_data_in_examples_can_be_read(page):
    readers = {"json": json.loads, "yaml": lambda text: list(yaml.safe_load_all(text))}
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language in readers and not block.words.startswith("notest"):
            try:
                readers[block.language](block.text)
            except ValueError as fault:
                pytest.fail(f"{name(page)}:{block.line}: {fault}")
            except yaml.YAMLError as fault:
                pytest.fail(f"{name(page)}:{block.line}: {fault}")


def shell_lines():
    """Lines of shell examples on all pages, without prompts and with continued lines joined."""
    for page in PAGES:
        for block in blocks(page.read_text(encoding="utf-8")):
            if block.language not in ("bash", "console", "sh"):
                continue
            joined = re.sub(r"\\\n\s*", " ", block.text)
            for line in joined.splitlines():
                prompt = line.startswith("$ ")
                if block.language != "console" or prompt:
                    yield f"{name(page)}:{block.line}", line.removeprefix("$ ").strip()


def fault_of(words: list[str]) -> str:
    """Why click would refuse a `cauce …` command line; empty when it would not. Nothing is carried out."""
    from cauce.cli.main import main  # noqa: PLC0415 other tests of this file work without the CLI

    command, context, rest = main, None, words
    try:
        while True:
            context = command.make_context("cauce", list(rest), parent=context)
            if not isinstance(command, click.Group):
                return ""
            _, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    except click.exceptions.Exit:
        return ""  # --help and --version
    except click.BadParameter as fault:
        absent = re.search("does not exist|No such file", fault.message)  # a file of the reader's own
        return "" if absent and not isinstance(fault, click.MissingParameter) else fault.format_message()
    except click.UsageError as fault:
        return fault.format_message()


def test_commands_in_examples_exist():
    unknown = []
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for where, line in shell_lines():
        for part in re.split(r"\s(?:\||&&|\|\||;)\s", line.split(" #")[0]):
            try:
                words = shlex.split(part)
            except ValueError:
                continue  # a quotation that goes on in the next line
            words = [word for word in words if not re.match(r"[A-Z_]+=", word)]
            words = list(itertools.takewhile(lambda word: not re.match(r"\d?[<>]", word), words))
            if words[:1] == ["cauce"] and (what := fault_of(words[1:])):
                unknown.append(f"{where}: {line!r} ({what})")
            if words[:1] == ["make"] and (missing := set(words[1:2]) - targets):
                unknown.append(f"{where}: make {missing.pop()}")
    assert not unknown


def test_both_languages_tell_the_same_story():
    shapes = [
        [len(marks) for marks, _ in HEADING.findall(prose(ROOT / file))] for file in ("README.md", "README.es.md")
    ]
    assert shapes[0] == shapes[1]
    assert code_of("README.md") == code_of("README.es.md")


def code_of(file: str) -> list[str]:
    """The shell and Python examples of a README, which need no translation, without their comments."""
    found = blocks((ROOT / file).read_text(encoding="utf-8"))
    return [re.sub(r"\s+#.*", "", block.text) for block in found if block.language in ("bash", "python")]


def test_one_sentence_per_line():
    """Changes to prose can then be read line by line."""
    two = re.compile(r"[a-záéíóú0-9)`]{3}[.!?] +[A-ZÁÉÍÓÚ¿¡][a-záéíóú]+ ")
    free = {ROOT / "docs/reference/cli.md", ROOT / "CHANGELOG.md"}
    assert not [
        f"{name(page)}: {line.strip()[:90]}"
        for page in PAGES
        if page not in free
        for line in prose(page).splitlines()
        if two.search(line) and not re.match(r"\s*(\||[-*] |\d+\. |<!--)", line)
    ]
