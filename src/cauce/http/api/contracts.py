"""Contracts: what events must look like, and what happens to those that nobody described."""

from __future__ import annotations

import msgspec

from cauce.client.types import definitions as types
from cauce.client.types.basics import Nothing, Page, Paging
from cauce.errors import DefinitionInvalid, NotFound
from cauce.http.api.moments import told_if_any
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.paging import page_after
from cauce.quality.api import ContractInForce, contract_request
from cauce.quality.contract import parse
from cauce.registry import nearest


def contract_of(found: ContractInForce) -> types.Contract:
    """A contract with its definition as it can be applied again."""
    definition = msgspec.to_builtins(found.contract)
    kinds = list(definition.pop("identifiers", ["*"]))
    definition["identifiers"] = "any" if kinds == ["*"] else kinds or "none"
    return types.Contract(
        key=found.key,
        definition=definition,
        version=found.version,
        decided=told_if_any(found.decided),
        decided_by=found.decided_by or None,
    )


def list_(call: Call[Paging, None]) -> Page[types.Contract]:
    return page_after(call, call.platform.quality.contracts(), lambda contract: contract.key, contract_of)


def get(call: AnyCall) -> types.Contract:
    found = {contract.key: contract for contract in call.platform.quality.contracts()}
    key = call.path["contract"]
    if key not in found:
        raise NotFound(f"no contract is named {key[:200]!r}", hint=nearest(key[:200], list(found)))
    return contract_of(found[key])


def apply(call: Call[Nothing, types.Definition]) -> types.Contract:
    key, definition = call.path["contract"], call.body.definition
    request = contract_request({"contracts": [definition]})
    contract = parse(definition)
    if contract.key != key:
        raise DefinitionInvalid(
            f"expected the definition of {key[:200]!r}, got that of {contract.key!r}",
            hint="The key is type:event, with @source for a contract of one source",
        )
    if call.body.dry_run:
        return contract_of(ContractInForce(contract.key, contract, 0, 0, ""))
    call.platform.decide("contract.applied", request, call.actor.name)
    return get(call)


def remove(call: Call[Nothing, None]) -> None:
    get(call)
    call.platform.decide("contract.removed", {"contracts": [call.path["contract"]]}, call.actor.name)


def breaches(call: Call[Nothing, None]) -> types.Breaches:
    found = call.platform.quality.breaches()
    return types.Breaches(items=[types.Breach(**msgspec.structs.asdict(breach)) for breach in found])


def unknown(call: AnyCall) -> types.UnknownEvents:
    found = call.platform.quality.unknown()
    return types.UnknownEvents(default=found.pop("", "accept"), sources=found)


def set_unknown(call: Call[Nothing, types.NewUnknownEvents]) -> types.UnknownEvents:
    """A source that is no longer named has the default from now on."""
    before = call.platform.quality.unknown()
    gone = dict.fromkeys(before.keys() - {""} - call.body.sources.keys(), call.body.default)
    wanted = {**gone, **call.body.sources, "": call.body.default}
    call.platform.decide("contract.applied", contract_request({"unknown": wanted}), call.actor.name)
    return unknown(call)


EXAMPLE = {
    "definition": {
        "event": "Gift Wrapped",
        "description": "Somebody had a present wrapped.",
        "properties": {"type": "object", "required": ["order_id"], "properties": {"order_id": {"type": "string"}}},
    }
}

OPERATIONS = (
    Operation(
        name="contracts.list",
        method="GET",
        path="/v1/contracts",
        summary="List the contracts",
        permission="definitions.read",
        handle=list_,
        query=Paging,
        answer=Page[types.Contract],
    ),
    Operation(
        name="contracts.breaches",
        method="GET",
        path="/v1/contracts/breaches",
        summary="List what was stored although it breaks its contract",
        permission="definitions.read",
        handle=breaches,
        answer=types.Breaches,
    ),
    Operation(
        name="contracts.unknown",
        method="GET",
        path="/v1/contracts/unknown",
        summary="Get what happens to events without contract",
        permission="definitions.read",
        handle=unknown,
        answer=types.UnknownEvents,
        guard=unknown,
    ),
    Operation(
        name="contracts.set_unknown",
        method="PUT",
        path="/v1/contracts/unknown",
        summary="Say what happens to events without contract",
        permission="definitions.write",
        kept="answer",
        handle=set_unknown,
        body=types.NewUnknownEvents,
        answer=types.UnknownEvents,
        errors=(DefinitionInvalid,),
        lane="write",
        guard=unknown,
        audit="definition.applied",
        subject=lambda _call, _answer: "unknown events",
        example={"default": "accept", "sources": {"web": "quarantine"}},
    ),
    Operation(
        name="contracts.get",
        method="GET",
        path="/v1/contracts/{contract}",
        summary="Get a contract",
        permission="definitions.read",
        handle=get,
        answer=types.Contract,
        errors=(NotFound,),
        guard=get,
    ),
    Operation(
        name="contracts.apply",
        method="PUT",
        path="/v1/contracts/{contract}",
        summary="Apply a contract",
        description="A new one, or in the place of the one of the same key. `dry_run` only checks it.",
        permission="definitions.write",
        kept="answer",
        handle=apply,
        body=types.Definition,
        answer=types.Contract,
        errors=(DefinitionInvalid,),
        lane="write",
        guard=get,
        audit="definition.applied",
        subject=lambda call, _answer: f"contract {call.path['contract']}",
        example=EXAMPLE,
    ),
    Operation(
        name="contracts.remove",
        method="DELETE",
        path="/v1/contracts/{contract}",
        summary="Remove a contract",
        description="Its events count as unknown from then on.",
        permission="definitions.write",
        kept="answer",
        handle=remove,
        status=204,
        errors=(NotFound,),
        lane="write",
        guard=get,
        audit="definition.removed",
        subject=lambda call, _answer: f"contract {call.path['contract']}",
    ),
)
