"""A seat at the console for tests: a small synthetic world, and clients that are signed in by role."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from cauce import console
from cauce.app import Platform
from cauce.http.app import create_app
from cauce.http.guard import Guard
from cauce.settings import Settings
from cauce.testing.world import World, bookings, fulfilment, loyalty, orders, stock
from cauce.testing.world.catalogue import furnish
from tests.running import in_the_loop

PEOPLE = 60
DAYS = 10
WHEN = "2026-10-01"
CUSTOMERS = ("email:ana@tienda.es", "loyalty:9001", "phone:+34698765432", "email:luis@tienda.es")
"""Whose orders, baskets and bookings there are."""


def make(folder: Path) -> None:
    """Fills a data folder with a small world: all channels, quarantined, doubled and shared things among them."""
    world = World(people=PEOPLE, days=DAYS, start=WHEN)
    with Platform.open(Settings({"data": str(folder)})) as platform:
        for source in world.sources():
            platform.sources.add(source)
        for batch in world.batches(events_per_batch=50):
            # As a client that was offline says it: sent now, so that all times stay as they are.
            body = batch.sent_at(time.time_ns() // 1_000)
            platform.append(batch.source, "tracking", [msgspec.json.encode(body)])
        platform.drain()
        furnish(platform)
        stock.furnish(platform)
        orders.furnish(platform, CUSTOMERS, orders=16)
        loyalty.furnish(platform)
        fulfilment.furnish(platform, CUSTOMERS, orders=12, stores=2)
        bookings.furnish(platform, CUSTOMERS, stores=1, days=2)


class Client:
    """A browser without script: sends what forms send, with the token of the session, and keeps cookies."""

    def __init__(self, app: Any, **options: Any) -> None:
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), **options)
        self.cookies = self._client.cookies
        self.headers = self._client.headers

    def request(self, method: str, address: str, **options: Any) -> httpx.Response:
        return in_the_loop(self._client.request(method, address, **options))

    def get(self, address: str, **options: Any) -> httpx.Response:
        return self.request("GET", address, **{"follow_redirects": True, **options})

    def post(self, address: str, **options: Any) -> httpx.Response:
        return self.request("POST", address, **options)

    def page(self, address: str, status: int = 200, **options: Any) -> str:
        """The text of a page; fails when its status is another."""
        answer = self.get(address, **options)
        assert answer.status_code == status, (address, answer.status_code, answer.text[-2_000:])
        return answer.text

    def token(self, page: str = "/") -> str:
        """The token that the forms of a page carry."""
        found = re.search(r'name="csrf" value="([^"]*)"', self.page(page))
        assert found, f"{page} has no form with a token"
        return unescape(found[1])

    def send(self, address: str, *, page: str = "/", **fields: str) -> httpx.Response:
        """Sends a form with the token that stands in `page`; does not follow where it leads."""
        return self.post(address, data={"csrf": self.token(page), **fields})


class Seat:
    """An open installation with its console; `client(role)` signs somebody in."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    @cached_property
    def app(self) -> Any:
        return create_app(self.platform, pages=console.routes)

    def client(self, role: str = "owner", *, language: str = "en", zone: str = "Europe/Madrid") -> Client:
        """A client that is signed in with a role; with the role "" nobody is signed in."""
        return self._signed_in(self.app, role, language, zone)

    def client_over(self, routes: list[BaseRoute], role: str = "owner") -> Client:
        """A client of other routes over the same installation."""
        return self._signed_in(Guard(Starlette(routes=routes), self.platform), role, "en", "UTC")

    def _signed_in(self, app: Any, role: str, language: str, zone: str) -> Client:
        headers = {"accept-language": language, "accept": "text/html"}
        client = Client(app, base_url="http://console.test", headers=headers)
        client.cookies.set("cauce_zone", zone)
        if role:
            client.cookies.set("cauce_session", sign_in(self.platform, role))
        return client


def sign_in(platform: Platform, role: str) -> str:
    """The session cookie of an account with that role, which is made when there is none."""
    accounts = platform.access.accounts
    account = accounts.find(f"the-{role}") or accounts.add(f"the-{role}", role, by="tests")
    return platform.access.sessions.start(account).cookie


@contextmanager
def seated(folder: Path) -> Iterator[Seat]:
    """The console over a data folder."""
    with Platform.open(Settings({"data": str(folder)})) as platform:
        yield Seat(platform)
