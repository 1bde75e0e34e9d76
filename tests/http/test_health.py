from __future__ import annotations

from pathlib import Path

from tests.http.serving import SmallPlatform, serving
from tests.running import http_client


def test_live_and_ready(tmp_path: Path) -> None:
    platform = SmallPlatform(tmp_path)
    with serving(platform) as url, http_client(url) as client:
        assert client.get("/health/live").json() == {"live": True}
        ready = client.get("/health/ready")
        assert ready.status_code == 200
        assert ready.json()["runner"] is True
    platform.close()


def test_without_a_runner_it_is_not_ready(tmp_path: Path) -> None:
    platform = SmallPlatform(tmp_path)
    platform.runner = False
    with serving(platform) as url, http_client(url) as client:
        assert client.get("/health/live").status_code == 200
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["ready"] is False
    platform.close()


def test_state_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    platform = SmallPlatform(tmp_path)

    def broken() -> dict[str, int]:
        raise OSError("state is gone")

    platform.health = broken  # type: ignore[method-assign]
    with serving(platform) as url, http_client(url) as client:
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        assert "state is gone" in answer.json()["fault"]
    platform.close()


def test_metrics_tell_requests_commits_and_the_river(tmp_path: Path) -> None:
    platform = SmallPlatform(tmp_path)
    with serving(platform) as url, http_client(url) as client:
        client.post("/v1/track", json={"event": "A", "userId": "u"}, auth=(platform.key, ""))
        client.post("/v1/track", content=b"{", auth=(platform.key, ""))
        client.post("/v1/batch", json={"batch": []})
        client.get("/v1/nothing-of-ours")
        found = client.get("/metrics").text
    for line in (
        'cauce_requests_total{path="track",status="200"} 1.0',
        'cauce_requests_total{path="track",status="400"} 1.0',
        'cauce_requests_total{path="batch",status="401"} 1.0',
        "cauce_log_records_total 1.0",
        "cauce_commit_seconds_count 1.0",
        "cauce_log_end 1.0",
        "cauce_runner_up 1.0",
        "cauce_queue_bytes 0.0",
        'cauce_items{fate="quarantined",source="web"} 1.0',
    ):
        assert line in found.splitlines(), found
    platform.close()
