"""Settings, engines and stages put together into a runner; bytes of any connector turned into items."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from cauce import registry
from cauce.access.api import Access, Audit, Control, Outside, roles_read
from cauce.access.api import Limits as AccessLimits
from cauce.engines.api import Log, Reader, Tables, Turns
from cauce.errors import SettingInvalid
from cauce.events import decisions
from cauce.events.api import Archive
from cauce.events.book import SourcesStage
from cauce.events.erasure import Tools, is_sealed, sealing
from cauce.events.history import Options
from cauce.events.stage import ArchiveStage
from cauce.identity.api import People
from cauce.identity.stage import IdentityStage
from cauce.model import DECISIONS, Reason, Received, Record, Source, offset_of, position_of
from cauce.profiles.api import Profiles
from cauce.profiles.past import Grounds
from cauce.profiles.stage import ProfilesStage
from cauce.quality.api import Quality
from cauce.quality.stage import Limits, QualityStage
from cauce.runner import Decode, Runner
from cauce.settings import Settings

SourceOf = Callable[[str], Source | None]


class Parts(NamedTuple):
    """What a river is made of besides its tables."""

    log: Log
    source_of: SourceOf
    settings: Settings
    secret: bytes


class Views:
    """What can be asked of the state, by one thread: `quality`, `archive`, `people`, `profiles` over one reader."""

    def __init__(self, parts: Parts, reader: Reader) -> None:
        limit = parts.settings.component_identifiers_max
        self.reader = reader
        self.quality = Quality(reader, connector_of=lambda positions: _connectors(parts.log, positions))
        self.archive = Archive(reader)
        self.people = People(reader, parts.secret, source_of=parts.source_of, component_identifiers_max=limit)
        self.profiles = Profiles(
            reader,
            self.people,
            self.archive,
            grounds=Grounds(parts.secret, source_of=parts.source_of, component_identifiers_max=limit),
        )


def access_over(control: Control, secret: bytes, settings: Settings) -> Access:
    """Accounts, sessions, tokens and the audit trail, as the settings want them."""
    limits = AccessLimits(
        settings.session_idle_seconds,
        settings.session_seconds_max,
        settings.link_hours,
        settings.token_requests_per_minute,
    )
    audit = Audit(control, addresses=settings.audit_addresses, days=settings.audit_days)
    return Access(control, audit, secret, limits, outside=_outside(settings) if settings.oidc_issuer else None)


def _outside(settings: Settings) -> Outside:
    """The OpenID provider by which people may sign in; SettingInvalid when something of it is missing."""
    file = settings.oidc_client_secret_file
    try:
        client_secret = Path(file).read_text(encoding="utf-8").strip() if file else ""
    except (OSError, ValueError) as fault:
        raise SettingInvalid(f"cannot read oidc_client_secret_file {file!r}: {type(fault).__name__}") from None
    return Outside(
        issuer=settings.oidc_issuer,
        client=settings.oidc_client,
        roles=roles_read(settings.oidc_roles),
        client_secret=client_secret,
        scopes=settings.oidc_scopes,
        name_claim=settings.oidc_name_claim,
        role_claim=settings.oidc_role_claim,
    )


def _connectors(log: Log, positions: Iterable[int]) -> dict[int, str]:
    """Connector of the record in which each position came."""
    wanted = list(positions)
    found = {record.offset: record.connector for record in log.get(offset_of(position) for position in wanted)}
    return {position: found.get(offset_of(position), "") for position in wanted}


def decoder(source_of: SourceOf, secret: bytes) -> Decode:
    """The function that turns a record into items, by the record's connector; it never raises for bad data.

    An item that calls itself blanked by an erasure is believed when it carries the installation's seal.
    """
    connectors = registry.find("cauce.connectors", role="decode")

    def decode(record: Record) -> list[Received]:
        name = record.connector.partition(":")[0]
        if name == DECISIONS:
            return list(_decided(decisions.decode(record), record, decode))
        source = source_of(record.source) or Source(record.source, record.source)
        items: list[Received] = registry.pick(connectors, name, what="connector").decode(record, source)
        return items

    def decode_sealed(record: Record) -> list[Received]:
        return [_unforged(item, secret) if item.erased else item for item in decode(record)]

    return decode_sealed


def _unforged(item: Received, secret: bytes) -> Received:
    """The item as it is when an erasure left it, else one that goes to quarantine: any client can send such a thing."""
    # Only Cauce writes decisions.
    if is_sealed(secret, item) or (item.source == DECISIONS and not item.replay_of):
        return item
    reason = Reason("forged_blank", "/_seal", "the seal of an erasure of this installation", "none, or another one")
    return msgspec.structs.replace(item, erased="", reasons=(reason,))


def _decided(items: Sequence[Received], record: Record, decode: Decode) -> Iterator[Received]:
    """The decision itself, then the mended events that it carries back into the river."""
    yield from items
    for item in items:
        if item.event is None or item.event.name != "quarantine.replayed":
            continue
        for index, entry in enumerate(item.event.properties.get("items", []), start=1):
            yield _mended(entry, position_of(record.offset, index), decode)


def _mended(entry: dict[str, Any], position: int, decode: Decode) -> Received:
    """A quarantined item after mending: it keeps its id, its source and its times."""
    form, raw = entry.get("form", "json"), entry["raw"]
    body = msgspec.json.encode(raw) if form == "json" else raw.encode() if form == "text" else b64decode(raw)
    original = Record(offset_of(entry["position"]), entry["source"], entry["connector"], entry["received"], body)
    (item, *_) = decode(original)
    event = item.event
    if event is not None:
        event = msgspec.structs.replace(event, position=position, replay_of=entry["position"])
    return msgspec.structs.replace(item, position=position, event=event, replay_of=entry["position"])


def assemble(parts: Parts, tables: Tables, history: Path, turns: Turns | None = None) -> Runner:
    """The runner with its stages in their order. `history` is the folder of the Parquet files.

    With `turns` it shares the state with other runners.
    """
    log, otherwise, settings, secret = parts
    sources = SourcesStage(tables, otherwise)
    source_of = sources.source_of
    stored = Archive(tables).scan
    decode = decoder(source_of, secret)
    identity = IdentityStage(
        tables,
        secret,
        history=stored,
        source_of=source_of,
        component_identifiers_max=settings.component_identifiers_max,
        cache_identifiers=settings.cache_identifiers,
    )
    stages = (
        sources,
        QualityStage(
            tables,
            source_of,
            Limits.of(settings.event_bytes_max, settings.future_seconds_max, settings.past_days_max),
            is_suppressed=identity.is_suppressed,
        ),
        identity,
        ProfilesStage(tables, history=stored, identify=identity.identify),
        ArchiveStage(
            tables,
            history,
            Options(settings.history_rows, settings.history_seconds, settings.history_files_max),
            tools=Tools(log, decode, identity.identify, sealing(secret)),
            turns=turns,
        ),
    )
    return Runner(
        log,
        tables,
        decode,
        stages,
        batch_records=settings.batch_records,
        batch_bytes=settings.batch_bytes,
        turns=turns,
    )
