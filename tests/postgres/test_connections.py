"""Secrets of sources on PostgreSQL: what one process adds or revokes holds for the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cauce.access.api import Audit, Control
from cauce.engines.postgres import Database, PostgresTables
from cauce.events.sources import Sources
from cauce.model import Source

SECRET = "shpss_0123456789abcdef0123456789abcdef"


@contextmanager
def opened(database: Database) -> Iterator[Sources]:
    control = Control(PostgresTables(database.url, database.control))
    audit = Audit(control)
    try:
        yield Sources(control, audit)
    finally:
        audit.close()
        control.close()


def test_secrets_and_addresses_are_shared(database: Database) -> None:
    with opened(database) as one, opened(database) as other:
        one.add(Source("shop", "web"))
        found = one.connections.add_secret("shop", "shopify", SECRET)
        other.connections.add_secret("shop", "shopify", SECRET[::-1])
        one.connections.add_secret("shop", "shopify", "a-credential-0123456789", purpose="api")
        other.connections.connect("shop", "square", public_url="https://cauce.example.com/x")
        other.connections.mark("shop", "square", 5)
    with opened(database) as later:
        lock = later.connections.lock("shop", "shopify")
        assert lock is not None
        assert set(lock.secrets) == {SECRET.encode(), SECRET[::-1].encode()}
        assert later.connections.credential("shop", "shopify") == "a-credential-0123456789"
        assert later.connections.connection("shop", "square").reconciled == 5
        later.connections.revoke_secret("shop", found.hint)
        lock = later.connections.lock("shop", "shopify")
        assert lock is not None
        assert lock.secrets == (SECRET[::-1].encode(),)
        assert len(later.connections.secrets("shop")) == 3
