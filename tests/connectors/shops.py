"""Small shops that answer over HTTP as the systems do: they page, want their credential, and limit the rate."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cauce.model import from_iso

CREDENTIAL = "credential-0123456789"

Reply = tuple[int, dict[str, str], Any]


class FakeShop:
    """Answers with `answer(method, path, query, body, headers)`; every `busy_every`-th request is too many."""

    def __init__(self, busy_every: int = 3) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.busy_every = busy_every
        self._count = 0

    def reply(self, method: str, target: str, body: Any, headers: dict[str, str]) -> Reply:
        self._count += 1
        if self.busy_every and self._count % self.busy_every == 0:
            return 429, {"Retry-After": "2.0"}, {"errors": "too many"}
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(parts.path)
        return self.answer(parts.path, query, body, headers)

    def answer(self, path: str, query: dict[str, str], body: Any, headers: dict[str, str]) -> Reply:
        raise NotImplementedError

    @contextmanager
    def serving(self) -> Iterator[str]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.reply))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self.url
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(reply: Callable[[str, str, Any, dict[str, str]], Reply]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, said, body = reply(self.command, self.path, json.loads(raw) if raw else None, headers)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**said, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 (the library's names)

        def log_message(self, *_arguments: Any) -> None:
            return

    return Handler


FORBIDDEN: Reply = (401, {}, {"errors": "wrong credential"})


class ShopifyShop(FakeShop):
    """Pages of two by cursor in a `Link` header."""

    def __init__(self, orders: list[Any], **options: Any) -> None:
        super().__init__(**options)
        self.resources: dict[str, list[Any]] = {"orders": orders, "customers": [], "products": []}

    def answer(self, path: str, query: dict[str, str], body: Any, headers: dict[str, str]) -> Reply:
        if headers.get("x-shopify-access-token") != CREDENTIAL:
            return FORBIDDEN
        name = path.rpartition("/")[2].removesuffix(".json")
        start = int(query.get("page_info", 0))
        if not start:
            assert query["updated_at_min"]
            since = from_iso(query["updated_at_min"])
            listed = [one for one in self.resources[name] if from_iso(one["updated_at"]) >= since]
        else:
            assert set(query) == {"page_info", "limit"}, "a cursor stands alone"
            listed = self.resources[name]
        following = f"{self.url}{path}?{urlencode({'page_info': start + 2, 'limit': 250})}"
        link = {"Link": f'<{following}>; rel="next"'} if start + 2 < len(listed) else {}
        return 200, link, {name: listed[start : start + 2]}


class WooShop(FakeShop):
    """Pages by number, ordered by modification."""

    def __init__(self, orders: list[Any], **options: Any) -> None:
        super().__init__(**options)
        self.resources: dict[str, list[Any]] = {"orders": orders, "products": []}

    def answer(self, path: str, query: dict[str, str], body: Any, headers: dict[str, str]) -> Reply:
        if headers.get("authorization") != "Basic " + base64.b64encode(CREDENTIAL.encode()).decode():
            return FORBIDDEN
        assert (query["orderby"], query["order"], query["dates_are_gmt"]) == ("modified", "asc", "true")
        after, size = query["modified_after"], int(query["per_page"])
        found = sorted(
            (one for one in self.resources[path.rpartition("/")[2]] if one["date_modified_gmt"] > after),
            key=lambda one: one["date_modified_gmt"],
        )
        first = (int(query["page"]) - 1) * size
        return 200, {}, found[first : first + size]


class SquareShop(FakeShop):
    """Locations, payments of one location each, and searches of orders and customers, each with cursors."""

    def __init__(self, payments: list[Any], orders: list[Any], customers: list[Any], **options: Any) -> None:
        super().__init__(**options)
        self.payments, self.orders, self.customers = payments, orders, customers
        self.locations = [{"id": f"L{number}"} for number in range(12)]

    def answer(self, path: str, query: dict[str, str], body: Any, headers: dict[str, str]) -> Reply:
        if headers.get("authorization") != f"Bearer {CREDENTIAL}":
            return FORBIDDEN
        if path == "/v2/locations":
            return 200, {}, {"locations": self.locations}
        start = int((body or query).get("cursor", 0))
        if path == "/v2/payments":
            assert (query["sort_field"], query["sort_order"]) == ("UPDATED_AT", "ASC")
            listed = [one for one in self.payments if one["location_id"] == query["location_id"]]
            since = from_iso(query["updated_at_begin_time"])
            return self._page("payments", [one for one in listed if from_iso(one["updated_at"]) >= since], start)
        if path == "/v2/customers/search":
            return self._page("customers", self.customers, start)
        assert path == "/v2/orders/search"
        assert len(body["location_ids"]) <= 10
        return self._page("orders", [one for one in self.orders if one["location_id"] in body["location_ids"]], start)

    def _page(self, name: str, listed: list[Any], start: int) -> Reply:
        more = {"cursor": str(start + 2)} if start + 2 < len(listed) else {}
        return 200, {}, {name: listed[start : start + 2], **more}


class StripeShop(FakeShop):
    """Events, newest first, after an id."""

    def __init__(self, events: list[Any], **options: Any) -> None:
        super().__init__(**options)
        self.events = events

    def answer(self, path: str, query: dict[str, str], body: Any, headers: dict[str, str]) -> Reply:
        if headers.get("authorization") != f"Bearer {CREDENTIAL}":
            return FORBIDDEN
        listed = [one for one in reversed(self.events) if one["created"] >= int(query["created[gte]"])]
        ids = [one["id"] for one in listed]
        start = ids.index(query["starting_after"]) + 1 if "starting_after" in query else 0
        return 200, {}, {"data": listed[start : start + 2], "has_more": start + 2 < len(listed)}
