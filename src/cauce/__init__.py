"""Cauce: every channel of a company in, one true customer out.

    import cauce

    with cauce.open("cauce-data") as platform:
        person = platform.people.find("email", "ana@example.com")

The names below are the public ones; they are loaded when first used, so that importing `cauce` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cauce.app import Platform
    from cauce.errors import CauceError
    from cauce.model import Event, Fate, Identifier, Reason, Source
    from cauce.settings import Settings

    open = Platform.open
    __version__: str

__all__ = ["CauceError", "Event", "Fate", "Identifier", "Platform", "Reason", "Settings", "Source", "open"]

_HOMES = {
    "CauceError": "cauce.errors",
    "Event": "cauce.model",
    "Fate": "cauce.model",
    "Identifier": "cauce.model",
    "Platform": "cauce.app",
    "Reason": "cauce.model",
    "Settings": "cauce.settings",
    "Source": "cauce.model",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("cauce")
    if name == "open":
        return importlib.import_module("cauce.app").Platform.open
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'cauce' has no attribute {name!r}")
