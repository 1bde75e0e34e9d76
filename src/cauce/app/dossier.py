"""Everything known of one person, to answer a request for access: one document, as JSON or packed to take along."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import msgspec

from cauce.events import export
from cauce.events.sql import Limits
from cauce.model import to_iso

if TYPE_CHECKING:
    from cauce.app.platform import Platform

MOMENTS = ("occurred", "received", "known_since", "first_seen", "last_seen", "as_of")
"""Names of fields that hold microseconds."""
LIMITS = Limits(seconds=24 * 3_600.0, memory_mb=2_048)


def dossier(platform: Platform, key: str, limits: Limits = LIMITS) -> dict[str, Any]:
    """The profile, the links, and every stored event that carries one of the person's identifiers, oldest first.

    `key` is `kind:value` or a person id; NotFound when there is none.
    """
    found = platform.people.locate(key)
    known = {
        "profile": readable(msgspec.to_builtins(platform.profiles.profile(found.id))),
        "links": readable(msgspec.to_builtins(platform.people.links(found.id))),
    }
    events = export.events_of(platform.sql_engine(limits), [member.id for member in found.identifiers])
    return export.person_document(found.text, known, events)


def readable(value: Any, name: str = "") -> Any:
    """A document with moments as ISO 8601, for people to read."""
    if isinstance(value, dict):
        return {key: readable(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [readable(inner, name) for inner in value]
    is_moment = isinstance(value, int) and name.endswith(MOMENTS) and value > 0
    return to_iso(value) if is_moment else value


def json_of(document: dict[str, Any]) -> bytes:
    """The document as JSON to read."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def zip_of(document: dict[str, Any]) -> bytes:
    """The document in parts: the profile, the links, and one event per line."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        about = {name: document[name] for name in document if name not in ("profile", "links", "events")}
        for name, part in (
            ("about.json", about),
            ("profile.json", document["profile"]),
            ("links.json", document["links"]),
        ):
            archive.writestr(name, json_of(part))
        lines = b"".join(msgspec.json.encode(event) + b"\n" for event in document["events"])
        archive.writestr("events.jsonl", lines)
    return packed.getvalue()
