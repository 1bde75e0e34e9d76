"""A TCP proxy that cuts connections or falls silent when it is told to."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class Proxy:
    """Forwards connections to the server of a URL; `url` leads through it."""

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        self._target = (target.hostname or "", target.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = url.replace(f"{self._target[0]}:{self._target[1]}", f"127.0.0.1:{port}")
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._speaking = threading.Event()
        self._speaking.set()
        self._closing = False
        self._bytes_left: int | None = None
        self._start(self._accept)

    def cut(self) -> None:
        """Ends every connection at once, on both sides."""
        with self._lock:
            for pair in self._pairs:
                for end in pair:
                    with suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
            self._pairs = []

    def cut_after(self, size_bytes: int) -> None:
        """Ends every connection when so many more bytes went to the server."""
        with self._lock:
            self._bytes_left = size_bytes

    def fall_silent(self) -> None:
        """Keeps connections open and lets nothing through any more, as a network that lost the other side."""
        self._speaking.clear()

    def close(self) -> None:
        self._closing = True
        self._speaking.set()
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(timeout=10)
            assert not thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        self._listener.settimeout(0.1)
        while not self._closing:
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            client.settimeout(None)
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._pairs.append((client, server))
            self._start(self._forward, client, server, True)
            self._start(self._forward, server, client, False)

    def _forward(self, source: socket.socket, target: socket.socket, is_question: bool) -> None:
        try:
            while data := source.recv(65_536):
                if not self._speaking.is_set():
                    self._speaking.wait()
                    return
                if is_question and self._is_spent(len(data)):
                    self.cut()
                    return
                target.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, target):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            source.close()

    def _is_spent(self, size_bytes: int) -> bool:
        with self._lock:
            if self._bytes_left is None:
                return False
            self._bytes_left -= size_bytes
            if self._bytes_left > 0:
                return False
            self._bytes_left = None
            return True
