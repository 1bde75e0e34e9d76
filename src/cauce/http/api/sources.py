"""Sources and their write keys."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from cauce import registry
from cauce.app.arrivals import Arrival, arrivals
from cauce.client.types import sources as types
from cauce.client.types.basics import Nothing, Page, Paging
from cauce.errors import Conflict, DefinitionInvalid, NotFound
from cauce.events.connections import Connection, Secret
from cauce.events.sources import HINT_CHARACTERS, Key
from cauce.http.api.moments import told
from cauce.http.api.operation import Call, Operation
from cauce.http.api.paging import page_after
from cauce.http.api.quarantine import reasons_of
from cauce.http.api.sight import PERSONAL
from cauce.model import Source


def source_of(source: Source) -> types.Source:
    return msgspec.convert(source, types.Source, from_attributes=True)


def key_of(key: Key) -> types.Key:
    return types.Key(source=key.source, hint=key.hint, created=told(key.created), revoked=told(key.revoked))


def list_(call: Call[Paging, None]) -> Page[types.Source]:
    return page_after(call, call.platform.sources.list(), lambda source: source.name, source_of)


def add(call: Call[Nothing, types.NewSource]) -> types.AddedSource:
    source = msgspec.convert(call.body, Source, from_attributes=True)
    key = call.platform.sources.add(source, by=call.actor)
    return types.AddedSource(source=source_of(source), key=key)


def get(call: Call[Nothing, None]) -> types.Source:
    return source_of(call.platform.sources.get(call.path["source"]))


def change(call: Call[Nothing, types.SourceChange]) -> types.Source:
    changes = {name: value for name, value in msgspec.structs.asdict(call.body).items() if value is not UNSET}
    return source_of(call.platform.sources.change(call.path["source"], by=call.actor, **changes))


def keys(call: Call[Nothing, None]) -> Page[types.Key]:
    found = call.platform.sources.keys(call.path["source"])
    return Page(items=[key_of(key) for key in found], cursor="")


def rotate(call: Call[Nothing, None]) -> types.NewKey:
    source = call.path["source"]
    key = call.platform.sources.rotate(source, by=call.actor)
    return types.NewKey(source=source, key=key, hint=key[-HINT_CHARACTERS:])


def revoke(call: Call[Nothing, None]) -> None:
    call.platform.sources.revoke(call.path["source"], call.path["hint"], by=call.actor)


def arrived(call: Call[types.SourceItemsQuery, None]) -> types.SourceItems:
    source = call.platform.sources.get(call.path["source"])
    found = arrivals(call.platform, source.name, call.query.limit)
    shows_people, shows_raw = call.actor.may("people.read"), call.actor.may(PERSONAL)

    def tell(one: Arrival) -> types.SourceItem:
        return types.SourceItem(
            position=one.position,
            received=told(one.received),
            connector=one.connector,
            type=one.type,
            name=one.name,
            event_id=one.event_id,
            fate=one.fate,
            person=one.person if shows_people else "",
            reasons=reasons_of(one.reasons),
            raw=one.raw if shows_raw else "",
            is_cut=one.is_cut,
        )

    return types.SourceItems(items=[tell(one) for one in found.items], records=found.records, since=told(found.since))


def secret_of(secret: Secret) -> types.Secret:
    return types.Secret(
        source=secret.source,
        connector=secret.connector,
        purpose=secret.purpose,
        hint=secret.hint,
        created=told(secret.created),
        revoked=told(secret.revoked),
    )


def connection_of(connection: Connection) -> types.Connection:
    return types.Connection(
        source=connection.source,
        connector=connection.connector,
        public_url=connection.public_url,
        api_url=connection.api_url,
        reconciled=told(connection.reconciled or None),
    )


def _system(name: str) -> str:
    """The name of a system that signs what it sends; NotFound with the nearest one when it is none."""
    registry.pick(registry.find("cauce.connectors", role="verify"), name, what="system that signs")
    return name


def secrets(call: Call[Nothing, None]) -> Page[types.Secret]:
    found = call.platform.sources.connections.secrets(call.path["source"])
    return Page(items=[secret_of(secret) for secret in found], cursor="")


def add_secret(call: Call[Nothing, types.NewSecret]) -> types.Secret:
    connections, body = call.platform.sources.connections, call.body
    found = connections.add_secret(
        call.path["source"], _system(body.connector), body.secret, purpose=body.purpose, by=call.actor
    )
    return secret_of(found)


def forget(call: Call[Nothing, None]) -> None:
    call.platform.sources.connections.revoke_secret(call.path["source"], call.path["secret"], by=call.actor)


def connections(call: Call[Nothing, None]) -> Page[types.Connection]:
    found = call.platform.sources.connections.connections(call.path["source"])
    return Page(items=[connection_of(connection) for connection in found], cursor="")


def connect(call: Call[Nothing, types.Addresses]) -> types.Connection:
    given = {name: value for name, value in msgspec.structs.asdict(call.body).items() if value is not UNSET}
    system = _system(call.path["system"])
    return connection_of(call.platform.sources.connections.connect(call.path["source"], system, **given, by=call.actor))


EXAMPLE = {"name": "app", "channel": "app"}

OPERATIONS = (
    Operation(
        name="sources.list",
        method="GET",
        path="/v1/sources",
        summary="List the sources",
        permission="sources.read",
        handle=list_,
        query=Paging,
        answer=Page[types.Source],
    ),
    Operation(
        name="sources.add",
        method="POST",
        path="/v1/sources",
        summary="Add a source",
        description="The write key in the answer is shown only now.",
        permission="sources.write",
        kept="fact",
        handle=add,
        body=types.NewSource,
        answer=types.AddedSource,
        status=201,
        errors=(Conflict, DefinitionInvalid),
        lane="write",
        example=EXAMPLE,
    ),
    Operation(
        name="sources.get",
        method="GET",
        path="/v1/sources/{source}",
        summary="Get a source",
        permission="sources.read",
        handle=get,
        answer=types.Source,
        errors=(NotFound,),
    ),
    Operation(
        name="sources.change",
        method="PATCH",
        path="/v1/sources/{source}",
        summary="Change a source",
        description="What is not named stays. `enabled: false` refuses its requests from now on; what it sent stays.",
        permission="sources.write",
        kept="answer",
        handle=change,
        body=types.SourceChange,
        answer=types.Source,
        errors=(NotFound, DefinitionInvalid),
        lane="write",
        example={"mode": "observe"},
    ),
    Operation(
        name="sources.arrivals",
        method="GET",
        path="/v1/sources/{source}/arrivals",
        summary="List the last items that a source sent",
        description="As they came, and what became of each. The log is looked through for a bounded time, so a source "
        "that sent nothing lately may show nothing.",
        permission="sources.read",
        handle=arrived,
        query=types.SourceItemsQuery,
        answer=types.SourceItems,
        errors=(NotFound,),
        audit="source.events_seen",
        is_look=True,
        parameters={"limit": 10},
    ),
    Operation(
        name="sources.keys",
        method="GET",
        path="/v1/sources/{source}/keys",
        summary="List the write keys of a source",
        permission="sources.read",
        handle=keys,
        answer=Page[types.Key],
        errors=(NotFound,),
    ),
    Operation(
        name="sources.rotate",
        method="POST",
        path="/v1/sources/{source}/keys",
        summary="Make a further write key",
        description="It is shown only now. The older ones work until they are revoked.",
        permission="sources.write",
        kept="fact",
        handle=rotate,
        answer=types.NewKey,
        status=201,
        errors=(NotFound,),
        lane="write",
    ),
    Operation(
        name="sources.revoke",
        method="DELETE",
        path="/v1/sources/{source}/keys/{hint}",
        summary="Revoke a write key",
        permission="sources.write",
        kept="answer",
        handle=revoke,
        status=204,
        errors=(NotFound,),
        lane="write",
    ),
    Operation(
        name="sources.secrets",
        method="GET",
        path="/v1/sources/{source}/secrets",
        summary="List the secrets of a source",
        description="What it shares with systems that sign what they send; of each secret only how its SHA-256 begins.",
        permission="sources.read",
        handle=secrets,
        answer=Page[types.Secret],
        errors=(NotFound,),
    ),
    Operation(
        name="sources.add_secret",
        method="POST",
        path="/v1/sources/{source}/secrets",
        summary="Take a secret",
        description="Beside those that hold already: revoke the old one when the system uses the new one.",
        permission="sources.write",
        kept="fact",
        handle=add_secret,
        body=types.NewSecret,
        answer=types.Secret,
        status=201,
        errors=(NotFound, DefinitionInvalid),
        lane="write",
        example={"connector": "shopify", "secret": "0123456789abcdef0123456789abcdef"},
    ),
    Operation(
        name="sources.forget",
        method="DELETE",
        path="/v1/sources/{source}/secrets/{secret}",
        summary="Forget a secret",
        permission="sources.write",
        kept="answer",
        handle=forget,
        status=204,
        errors=(NotFound,),
        lane="write",
    ),
    Operation(
        name="sources.connections",
        method="GET",
        path="/v1/sources/{source}/connections",
        summary="List the systems that a source is connected to",
        permission="sources.read",
        handle=connections,
        answer=Page[types.Connection],
        errors=(NotFound,),
    ),
    Operation(
        name="sources.connect",
        method="PATCH",
        path="/v1/sources/{source}/connections/{system}",
        summary="Keep the addresses of a connection",
        permission="sources.write",
        kept="answer",
        handle=connect,
        body=types.Addresses,
        answer=types.Connection,
        errors=(NotFound, DefinitionInvalid),
        lane="write",
        example={"api_url": "https://shop.example.com"},
    ),
)
