"""Every dependency earns its place, says why, and may be used under its licence."""

from __future__ import annotations

import json
import re
import tomllib
from importlib import metadata

from tests.house.tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PAGE = ROOT / "docs/explanation/dependencies.md"


def package(requirement: str) -> str:
    return re.split(r"[<>=!~;\[ ]", requirement, maxsplit=1)[0].lower()


def described() -> dict[str, list[str]]:
    rows = re.findall(r"^\| `([\w-]+)` \|(.*)\|$", PAGE.read_text(encoding="utf-8"), re.M)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}


def runtime() -> set[str]:
    extras = PROJECT["project"].get("optional-dependencies", {}).values()
    return {package(line) for group in (PROJECT["project"]["dependencies"], *extras) for line in group}


def test_every_dependency_has_its_line():
    wanted = runtime() | {package(line) for line in PROJECT["dependency-groups"]["dev"]}
    assert set(described()) == wanted
    incomplete = [name for name, cells in described().items() if len(cells) != 3 or not all(cells)]
    assert not incomplete, "a line says: what for, why this one, licence"


def test_every_dependency_is_imported():
    modules = {"pyyaml": "yaml", "jsonschema-rs": "jsonschema_rs", "phonenumberslite": "phonenumbers"}
    modules["python-stdnum"] = "stdnum"
    modules["argon2-cffi"] = "argon2"
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    # uvicorn takes these two by itself when they are there.
    by_uvicorn = {"httptools", "uvloop"}
    unused = [
        name
        for name in sorted(runtime() - by_uvicorn)
        if not re.search(
            rf"(?:^\s*(?:import|from) |import_module\(\"){modules.get(name, name.replace('-', '_'))}\b", source, re.M
        )
    ]
    assert not unused, "remove from pyproject.toml what nothing imports"


def locked(file: str) -> dict[str, set[str]]:
    """Versions by package; there is more than one where the Python version decides."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(
        r"^([\w.-]+)==([^\s;\\]+)", (ROOT / "requirements" / file).read_text("utf-8"), re.M
    ):
        found.setdefault(name.lower(), set()).add(version)
    return found


def test_locks_hold_what_the_project_asks_for():
    core, dev = locked("core.lock"), locked("dev.lock")
    direct = {package(line) for line in PROJECT["project"]["dependencies"]}
    assert direct <= set(core), "run: make lock"
    assert runtime() | {package(line) for line in PROJECT["dependency-groups"]["dev"]} <= set(dev), "run: make lock"
    assert all(dev[name] == versions for name, versions in core.items()), "run: make lock"


def test_locks_pin_by_hash():
    for file in ("core.lock", "dev.lock", "uv.lock"):
        entries = re.split(r"^(?=\S)", (ROOT / "requirements" / file).read_text(encoding="utf-8"), flags=re.M)
        assert not [entry for entry in entries if entry.strip() and "--hash=sha256:" not in entry]


COPYLEFT = re.compile(r"\b(A?GPL|GNU (Affero )?General)", re.I)


def test_no_licence_forbids_use_in_a_company():
    """What Cauce needs at run time is permissive, so that a company may build on it."""
    refused = []
    for name in locked("core.lock"):
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform or Python
        words = " ".join(
            [about.get("License-Expression") or "", about.get("License") or "", *about.get_all("Classifier", [])]
        )
        if COPYLEFT.search(words[:2000]) and "Lesser" not in words:
            refused.append(name)
    assert not refused


def test_page_on_sdks_names_the_versions_that_are_tried():
    packages = json.loads((ROOT / "tests/sdk/package.json").read_text(encoding="utf-8"))["dependencies"]
    python = {
        name: versions
        for name, versions in locked("dev.lock").items()
        if name.endswith(("-analytics-python", "-sdk-python"))
    }
    tried = packages | {name: min(versions) for name, versions in python.items()}
    page = (ROOT / "docs/howto/connect-sdks.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `([^`]+)` \| ([\d.]+) \|$", page, re.M)) == tried
