"""A served console with the small world, and pages of a real Chromium that fail when anything complains."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from cauce import console
from cauce.app import Platform
from tests.console.seat import sign_in
from tests.http.serving import serving
from tests.reference import missing

PICTURES = Path(__file__).resolve().parents[2] / "build/pictures"
"""Where screenshots are left for who wants to look; `build` is no part of the repository."""
AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
WIDTHS = {"laptop": 1280, "phone": 390}

Visiting = Callable[..., AbstractContextManager[Any]]


class Served:
    """A console at `url`, over an installation that tests may look into."""

    def __init__(self, url: str, platform: Platform) -> None:
        self.url = url
        self.platform = platform


@contextmanager
def served_over(folder: Path) -> Iterator[Served]:
    with Platform.open(folder) as platform, serving(platform, pages=console.routes) as url:
        yield Served(url, platform)


@pytest.fixture(scope="session")
def served(world_folder: Path) -> Iterator[Served]:
    """The console over the small world, for tests that only look."""
    with served_over(world_folder) as found:
        yield found


@pytest.fixture
def own_served(world_folder: Path, tmp_path: Path) -> Iterator[Served]:
    """The console over a copy of the small world, for a test that changes it."""
    shutil.copytree(world_folder, tmp_path / "data")
    with served_over(tmp_path / "data") as found:
        yield found


@pytest.fixture
def visiting(chromium: Any) -> Visiting:
    """`with visiting(served, role="owner", width=1280, language="en", scheme="light") as page`.

    A page of a fresh browser profile, signed in by role ("" for nobody). At its end it fails when the browser's
    console said anything bad; what a test expects there stands in `page.expected`, as patterns.
    """

    @contextmanager
    def visit(
        served: Served, role: str = "owner", *, width: int = 1280, language: str = "en", scheme: str = "light"
    ) -> Iterator[Any]:
        context = chromium.new_context(
            base_url=served.url,
            viewport={"width": width, "height": 900},
            locale=language,
            color_scheme=scheme,
            timezone_id="Europe/Madrid",
        )
        if role:
            cookie = {"name": "cauce_session", "value": sign_in(served.platform, role), "url": served.url}
            context.add_cookies([cookie])
        page = context.new_page()
        faults: list[str] = []
        page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        page.expected = []
        try:
            yield page
        finally:
            context.close()
        unexpected = [fault for fault in faults if not any(re.search(pattern, fault) for pattern in page.expected)]
        assert not unexpected, unexpected

    return visit


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that judges accessibility."""
    if not AXE.exists():
        missing("tests/browser/node_modules (run: npm ci --prefix tests/browser)")
    return AXE.read_text(encoding="utf-8")
