"""The small world is made once per process; who changes it gets a copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console import persons
from tests.console.seat import Seat, seated


@pytest.fixture(scope="session")
def seat(world_folder: Path) -> Iterator[Seat]:
    """The console over the small world, for tests that only look."""
    with seated(world_folder) as found:
        yield found


@pytest.fixture
def own_seat(world_folder: Path, tmp_path: Path) -> Iterator[Seat]:
    """The console over a copy of the small world, for a test that changes it."""
    shutil.copytree(world_folder, tmp_path / "data")
    with seated(tmp_path / "data") as found:
        yield found


@pytest.fixture
def empty_seat(tmp_path: Path) -> Iterator[Seat]:
    """The console over a fresh installation, in which nothing has happened yet."""
    with seated(tmp_path / "data") as found:
        yield found


@pytest.fixture(scope="session")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("persons") / "data"
    persons.make(folder)
    return folder


@pytest.fixture(scope="module")
def shop(shop_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seat]:
    """The shop, only to be looked at."""
    folder = tmp_path_factory.mktemp("shop") / "data"
    shutil.copytree(shop_folder, folder)
    with seated(folder) as found:
        yield found


@pytest.fixture
def own_shop(shop_folder: Path, tmp_path: Path) -> Iterator[Seat]:
    """A shop of one's own, to be changed."""
    shutil.copytree(shop_folder, tmp_path / "data")
    with seated(tmp_path / "data") as found:
        yield found
