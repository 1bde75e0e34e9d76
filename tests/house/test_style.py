"""The few habits of the house that a machine can check and ruff, mypy and import-linter do not."""

from __future__ import annotations

import re
from functools import wraps

from tests.house.tree import ROOT, files, modules, name, outline

LINES_MAX = 70
METHODS_MAX = 30
RULE_FILES = [path for path in modules("src") if "rules" in path.stem or "model" in path.parts or "rules" in path.parts]
CLOCK_OR_CHANCE = re.compile(
    r"\b(datetime\.now|datetime\.utcnow|date\.today|time\.time|perf_counter|uuid[14]|urllib\.request)\b"
)

# Imports inside functions are for what is optional or slow to load, never to hide a circle.
LATE_IMPORTS_ALLOWED = {
    "cauce.cli": "commands load what they need, so that `cauce --help` is quick",
    "cauce.testing": "the world and the simulator reach for the whole platform only when asked",
}
LATE_PACKAGES_ALLOWED = {
    "argon2": "only who signs in needs it",
    "zxcvbn": "slow to load, for passwords that are chosen",
    "joserfc": "an optional extra",
    "httpx": "an optional extra",
    "icalendar": "slow to load, for feeds of calendars only",
    "sqlalchemy": "an optional extra",
    "python_calamine": "slow to load, for one kind of file",
}


def for_each(paths):
    """One test of all files, which tells every one that fails: a test for each would cost more than what it does."""

    def test_of(check):
        @wraps(check)
        def test():
            faults = []
            for path in paths:
                try:
                    check(path)
                except AssertionError as fault:
                    faults.append(f"{name(path)}: {fault}")
            assert not faults, "\n".join(faults)

        del test.__wrapped__  # pytest would ask for the argument of what is wrapped
        return test

    return test_of


@for_each(modules("src") + modules("benchmarks") + modules("tests"))
def test_functions_and_classes_are_short(path):
    long = [f"{said} has {lines} lines" for said, lines in outline(path).functions if lines > LINES_MAX]
    wide = [f"{said} has {count} methods" for said, count in outline(path).classes if count > METHODS_MAX]
    assert not long + wide, f"{name(path)}: split what does more than one thing"


@for_each(modules("src"))
def test_every_module_says_what_it_is(path):
    assert outline(path).docstring, f"{name(path)} has no docstring"


@for_each(RULE_FILES)
def test_rules_take_time_and_chance_as_arguments(path):
    assert not CLOCK_OR_CHANCE.findall(path.read_text(encoding="utf-8"))


def module_name(path):
    return ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)


@for_each(modules("src"))
def test_no_import_hides_in_a_function(path):
    here = module_name(path)
    hidden = outline(path).late_imports
    allowed = any(here == prefix or here.startswith(prefix + ".") for prefix in LATE_IMPORTS_ALLOWED)
    own = [found for found in hidden if found.split(".")[0] == "cauce" and not allowed]
    foreign = [
        found
        for found in hidden
        if found.split(".")[0] not in {"cauce", *LATE_PACKAGES_ALLOWED} and not allowed and not found.startswith("_")
    ]
    assert not own + foreign, f"{name(path)}: import at the top, or list the reason in {name(ROOT / 'tests/house')}"


def test_nothing_happens_at_import():
    """Global state would make two platforms in one process disturb each other."""
    assert not [f"{name(path)}:{line}" for path in modules("src") for line in outline(path).busy_lines]


EXCLUSION = re.compile(r"#\s*noqa(?P<codes>:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?(?P<reason>.*)$", re.M)


@for_each(files(".py"))
def test_every_lint_exclusion_has_a_code_and_a_reason(path):
    if path.name == "test_style.py":
        return
    without = [
        line.strip()
        for line in path.read_text(encoding="utf-8").splitlines()
        if (found := EXCLUSION.search(line)) and (not found["codes"] or not re.search(r"[a-z]{3}", found["reason"]))
    ]
    assert not without, "write: # noqa: CODE and why"


FOREIGN = re.compile(
    "|".join(
        (
            r"(?<![\w./~-])/(?:root|work|home/\w+|Users/\w+)/",
            r"pypi\.(?:org|python)",
            r"pythonhosted",
            r"registry\.(?:npmjs|yarnpkg)",
            r"deb\.debian",
            r"\bproxy\.golang",
            r"https?://[^/\s]*(?:artifactory|nexus|mirror)",
        )
    )
)
TEXT = (
    ".py",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".json",
    ".lock",
    ".in",
    ".js",
    ".mjs",
    ".html",
    ".css",
    ".sh",
    "",
    ".txt",
)


def test_no_machine_or_registry_is_named():
    """The project works behind anybody's mirror and in anybody's folder."""
    here = ROOT / "tests/house/test_style.py"
    found = [
        f"{name(path)}: {match}"
        for path in files(*TEXT)
        if path != here
        for match in FOREIGN.findall(path.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert not found


def test_no_name_carries_a_number_or_says_nothing():
    empty = {"utils", "util", "helpers", "helper", "misc", "common", "manager", "service"}
    stems = {name(path): path.stem for path in modules("src") if path.stem != "__init__"}
    assert not [path for path, stem in stems.items() if stem in empty or re.search(r"(_v?\d+|_new|_old)$", stem)]
