"""A small shop whose pages carry a tracking SDK, served from an origin of its own."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
LIBRARIES = {
    "segment": PACKAGES / "@segment/analytics-next/dist/umd",
    "rudder": PACKAGES / "@rudderstack/analytics-js/dist/npm/modern/bundled/umd",
}


@contextmanager
def open_shop(cauce_url: str, key: str) -> Iterator[str]:
    """The shop's base URL; `/segment/…` and `/rudder/…` are pages with that SDK, whatever their path says."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = [part for part in urlsplit(self.path).path.split("/") if part]
            if parts[:1] == ["sdk"]:
                self.answer(LIBRARIES[parts[1]] / parts[-1], "text/javascript")
            elif parts and parts[0] in LIBRARIES:
                self.answer(HERE / f"pages/{parts[0]}.html", "text/html; charset=utf-8", title=" ".join(parts[1:]))
            else:
                self.send_error(404)

        def answer(self, path: Path, content_type: str, **words: str) -> None:
            body = path.read_bytes()
            for name, value in {**words, **({"key": key, "cauce": cauce_url} if words else {})}.items():
                body = body.replace(b"{%s}" % name.encode(), html.escape(value).encode())
            self.send_response(200)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
