"""The floor of the intake: a bare ASGI handler that appends to a file and syncs before it answers (group commit).

python -m benchmarks.bare FOLDER        prints {"url": …} and serves until it is stopped
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn


class BareFile:
    """Appends bodies; one fdatasync in flight, in a thread, for all that wait."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._flushing = False

    async def append(self, body: bytes) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((body, future))
        if not self._flushing:
            self._flushing = True
            self._task = asyncio.create_task(self._flush())
        await future

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            taken, self._waiting = self._waiting, []
            await loop.run_in_executor(None, self._write, [body for body, _ in taken])
            for _, future in taken:
                future.set_result(None)
        self._flushing = False

    def _write(self, bodies: list[bytes]) -> None:
        os.write(self._file, b"".join(bodies))
        os.fdatasync(self._file)


def application(file: BareFile) -> Any:
    answer = b'{"success":true}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]

    async def handle(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        await file.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return handle


def main() -> None:
    file = BareFile(Path(sys.argv[1]) / "bare.log")
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}) + "\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        application(file), http="httptools", access_log=False, lifespan="off", log_level="warning", backlog=2_048
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
