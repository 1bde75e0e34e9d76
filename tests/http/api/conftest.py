"""A world that is made once and copied for each module that changes it."""

from __future__ import annotations

import pytest

from tests.http.api import world as worlds


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """The folder of a filled installation; nobody changes it."""
    folder = tmp_path_factory.mktemp("api") / "world"
    worlds.make(folder)
    return folder


@pytest.fixture(scope="module")
def platform(world, tmp_path_factory):
    with worlds.copied(world, tmp_path_factory.mktemp("api") / "data") as opened:
        yield opened


@pytest.fixture(scope="module")
def client(platform):
    """A client that may everything."""
    with worlds.client_of(platform, "owner") as opened:
        yield opened
