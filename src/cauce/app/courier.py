"""The courier: tells registered addresses what changed of stock, signed as Standard Webhooks has it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
An address is somebody's wish, and must not lead into our own network: it is resolved here, once, every result must be
a public one, and just that result is connected to. Redirections are not followed.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec
from standardwebhooks import Webhook

from cauce import __version__
from cauce.commerce.stock import feed
from cauce.commerce.stock.api import Hook
from cauce.commerce.stock.hooks import SECURE, Delivered, Undelivered, checked_address, due_hooks, wish_of
from cauce.errors import CauceError, Forbidden

if TYPE_CHECKING:
    from cauce.app.platform import Platform

LEVELS_PER_MESSAGE = 500
TIMEOUT_SECONDS = 10.0
LOOK_SECONDS = 0.5
MESSENGERS = 4
"""So many addresses are told at once."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - how secrets begin
ANSWER_BYTES_MAX = 65_536
TYPE = "stock.changed"


def secret_of(key: bytes, id_: str, salt: str) -> str:
    """What the messages of a hook are signed with: made of our own key, so that it is stored nowhere."""
    made = blake2b(f"stock hook\0{id_}\0{salt}".encode(), key=key[:64], digest_size=32).digest()
    return SECRET_PREFIX + base64.b64encode(made).decode()


class Courier:
    """Delivers what is due, in threads of its own. `allow_private` is for tests and closed networks."""

    def __init__(self, platform: Platform, *, allow_private: bool = False) -> None:
        self._platform = platform
        self._allow_private = allow_private
        self._pool: ThreadPoolExecutor | None = None
        self._under_way: set[str] = set()
        self._lock = threading.Lock()
        self._looked = float("-inf")

    def step(self) -> bool:
        """Sends messengers to all addresses that are due and have something to hear; does not wait for them."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return False
        self._looked = time.monotonic()
        commerce = self._platform.commerce
        for hook in due_hooks(commerce.reader, commerce.now):
            cursor = feed.Cursor.read(hook.cursor)
            if cursor is not None and cursor.stock < 0 and cursor.number == feed.last_change(commerce.reader):
                continue
            with self._lock:
                if hook.id in self._under_way:
                    continue
                self._under_way.add(hook.id)
            self._pool = self._pool or ThreadPoolExecutor(MESSENGERS, "courier")
            self._pool.submit(self._go, hook)
        return False

    def deliver(self, hook: Hook) -> bool:
        """Tells an address the next changes; whether there are more."""
        commerce = self._platform.commerce
        found = feed.changes(commerce.reader, feed.Cursor.read(hook.cursor), LEVELS_PER_MESSAGE, wish_of(hook))
        if found.items:
            try:
                self._tell(hook, found)
            except (CauceError, OSError, http.client.HTTPException) as fault:
                commerce.do(Undelivered(id=hook.id, fault=str(fault) or type(fault).__name__))
                return False
        commerce.do(Delivered(id=hook.id, cursor=found.cursor.text))
        return found.more

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _go(self, hook: Hook) -> None:
        try:
            self.deliver(hook)
        finally:
            with self._lock:
                self._under_way.discard(hook.id)

    def _tell(self, hook: Hook, found: feed.Changes) -> None:
        told = {
            "type": TYPE,
            "timestamp": datetime.now(UTC),
            "data": {"levels": [one._asdict() for one in found.items], "cursor": found.cursor.text},
        }
        body = msgspec.json.encode(told)
        # The same content has the same id, however often it is told.
        content = msgspec.json.encode([hook.id, found.items, found.cursor.text])
        id_ = f"msg_{blake2b(content, digest_size=16).hexdigest()}"
        secret = secret_of(self._platform.secret, hook.id, hook.salt)
        now = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "user-agent": f"cauce/{__version__}",
            "webhook-id": id_,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(id_, now, body.decode()),
        }
        status = post(hook.url, body, headers, allow_private=self._allow_private)
        if not 200 <= status < 300:
            raise ConnectionError(f"expected an answer of 200 to 299, got {status}")


def post(url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool) -> int:
    """Sends a body to an address of the public network and gives the status of the answer.

    Forbidden for an address that is not https, or leads elsewhere; OSError when nobody answers in time.
    """
    parts = checked_address(url)
    is_secure = parts.scheme == SECURE
    if not is_secure and not allow_private:
        raise Forbidden("expected an address that begins with https://")
    port = parts.port or (443 if is_secure else 80)
    connection = http.client.HTTPConnection(parts.hostname, port, timeout=TIMEOUT_SECONDS)
    connection.sock = _connected(parts.hostname, port, is_secure=is_secure, allow_private=allow_private)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, {**headers, "host": parts.netloc})
        answer = connection.getresponse()
        answer.read(ANSWER_BYTES_MAX)
        return answer.status
    finally:
        connection.close()


def _connected(host: str, port: int, *, is_secure: bool, allow_private: bool) -> socket.socket:
    """A connection to just the address that was checked, so that no name leads elsewhere between check and use."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(one[4][0]) for one in found]
    if not allow_private and not all(map(is_public, addresses)):
        raise Forbidden(f"{host} does not lead to the public network")
    plain = socket.create_connection((addresses[0], port), timeout=TIMEOUT_SECONDS)
    if not is_secure:
        return plain
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public network, also where it is written inside another one."""
    found = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return found.is_global and not found.is_multicast and (inner is None or inner.is_global)
