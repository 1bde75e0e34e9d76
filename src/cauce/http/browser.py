"""What browser SDKs ask before they send: so that one URL is all they need."""

from __future__ import annotations

import re
from typing import Any

from cauce.model import Source

_HOST = re.compile(r"[A-Za-z0-9._\-:\[\]]+")


def base_of(scheme: str, headers: dict[bytes, bytes], server: tuple[str, int | None] | None) -> tuple[str, str]:
    """(scheme, host) under which the client reached this door."""
    host = headers.get(b"host", b"").decode("latin-1")
    if not _HOST.fullmatch(host):
        host = f"{server[0]}:{server[1]}" if server else "localhost"
    return scheme if scheme in ("http", "https") else "http", host


def segment_settings(key: str, scheme: str, host: str) -> dict[str, Any]:
    """Settings that make @segment/analytics-next send to this very host, to no other destination, and no metrics."""
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": key,
                "apiHost": f"{host}/v1",
                "protocol": scheme,
                "unbundledIntegrations": [],
                "addBundledMetadata": True,
                "maybeBundledConfigIds": {},
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
            }
        },
        "plan": {
            "track": {"__default": {"enabled": True, "integrations": {}}},
            "identify": {"__default": {"enabled": True}},
            "group": {"__default": {"enabled": True}},
        },
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0, "host": f"{host}/v1", "protocol": scheme},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


def rudder_config(source: Source, key: str, scheme: str, host: str) -> dict[str, Any]:
    """Source configuration that makes @rudderstack/analytics-js start: no destinations, no reporting, this host."""
    return {
        "source": {
            "id": source.name,
            "name": source.name,
            "writeKey": key,
            "enabled": source.enabled,
            "workspaceId": "cauce",
            "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
            "destinations": [],
            "dataplanes": {"EU": [{"url": f"{scheme}://{host}", "default": True}]},
        }
    }
