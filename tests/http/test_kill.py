"""kill −9 of the real server under load: what was acknowledged is in the log, once, and nothing is half there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from cauce.connectors import tracking
from cauce.engines.sqlite import SqliteLog
from cauce.model import Source
from tests.http.serving import SmallPlatform
from tests.running import http_client

pytestmark = pytest.mark.soak

SERVER = """
import sys
from pathlib import Path
import uvicorn
from cauce.engines.sqlite import SqliteLog
from cauce.http.app import create_app
from tests.http.serving import SmallPlatform

folder = Path(sys.argv[1])
platform = SmallPlatform(folder, SqliteLog(folder / "log.db"))
config = uvicorn.Config(create_app(platform), host="127.0.0.1", port=0, log_level="warning")
listener = config.bind_socket()
listener.listen(128)
print(listener.getsockname()[1], flush=True)
uvicorn.Server(config).run(sockets=[listener])
"""
SENDERS = 4
ROOT = Path(__file__).resolve().parents[2]


class Sender(threading.Thread):
    """Sends events one after the other until the server is gone; remembers which were acknowledged."""

    def __init__(self, url: str, key: str, name: str, enough: threading.Semaphore) -> None:
        super().__init__(daemon=True)
        self.url, self.key, self.label, self.enough = url, key, name, enough
        self.acknowledged: list[str] = []
        self.sent = 0

    def run(self) -> None:
        with http_client(self.url, auth=(self.key, ""), timeout=30) as client:
            while True:
                id_ = f"{self.label}-{self.sent}"
                self.sent += 1
                call = {
                    "type": "track",
                    "event": "E",
                    "userId": "u",
                    "messageId": id_,
                    "properties": {"pad": "x" * 500},
                }
                try:
                    answer = client.post("/v1/batch", json={"batch": [call]})
                except httpx.TransportError:
                    return
                assert answer.status_code == 200
                self.acknowledged.append(id_)
                self.enough.release()


@pytest.mark.parametrize("acknowledged_before_kill", [1, 60])
def test_what_was_acknowledged_survives(tmp_path: Path, acknowledged_before_kill: int) -> None:
    platform = SmallPlatform(tmp_path)
    key = platform.key
    platform.close()
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert server.stdout is not None
    with server.stdout:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        enough = threading.Semaphore(0)
        senders = [Sender(url, key, f"s{number}", enough) for number in range(SENDERS)]
        for sender in senders:
            sender.start()
        for _ in range(acknowledged_before_kill):
            assert enough.acquire(timeout=60)
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        for sender in senders:
            sender.join(timeout=60)
    log = SqliteLog(tmp_path / "log.db")
    records = log.read(0, records_max=100_000, bytes_max=2**30)
    log.close()
    items = [item for record in records for item in tracking.decode(record, Source("web", "web"))]
    ids = [item.event.id for item in items if item.event is not None]
    acknowledged = {id_ for sender in senders for id_ in sender.acknowledged}
    assert len(acknowledged) >= acknowledged_before_kill
    assert acknowledged <= set(ids)
    assert len(ids) == len(set(ids)) == len(items)
    assert len(ids) <= len(acknowledged) + SENDERS  # at most the one that each was waiting for
