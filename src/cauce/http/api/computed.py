"""Computed traits and survivorship: what is worked out of events, and which value of a trait wins."""

from __future__ import annotations

from typing import Any

import msgspec

from cauce.client.types import definitions as types
from cauce.client.types.basics import Nothing, Page, Paging
from cauce.errors import DefinitionInvalid, NotFound
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.paging import page_after
from cauce.profiles.definitions import Definition, SurvivorshipRules, read_definitions, read_survivorship
from cauce.registry import nearest


def trait_of(definition: Definition) -> types.ComputedTrait:
    return types.ComputedTrait(name=definition.name, definition=msgspec.to_builtins(definition))


def list_(call: Call[Paging, None]) -> Page[types.ComputedTrait]:
    return page_after(call, call.platform.profiles.definitions(), lambda trait: trait.name, trait_of)


def get(call: AnyCall) -> types.ComputedTrait:
    found = {each.name: each for each in call.platform.profiles.definitions()}
    name = call.path["computed"]
    if name not in found:
        raise NotFound(f"no computed trait is named {name[:80]!r}", hint=nearest(name[:80], list(found)))
    return trait_of(found[name])


def apply(call: Call[Nothing, types.Definition]) -> types.ComputedTrait:
    name, document = call.path["computed"], call.body.definition
    (definition,) = read_definitions([document])
    if definition.name != name:
        raise DefinitionInvalid(f"expected the definition of {name[:80]!r}, got that of {definition.name!r}")
    properties = {"definitions": {"traits": [msgspec.to_builtins(definition)]}}
    call.platform.profiles.validate("trait.applied", properties)
    if not call.body.dry_run:
        call.platform.decide("trait.applied", properties, call.actor.name)
    return trait_of(definition)


def remove(call: Call[Nothing, None]) -> None:
    get(call)
    call.platform.decide("trait.removed", {"names": [call.path["computed"]]}, call.actor.name)


def survivorship(call: AnyCall) -> types.Survivorship:
    return types.Survivorship(survivorship=document_of(call.platform.profiles.survivorship()))


def document_of(rules: SurvivorshipRules) -> dict[str, Any]:
    """Survivorship rules in full, as they can be applied again."""
    traits = {name: msgspec.structs.asdict(rule) for name, rule in rules.traits.items()}
    return {"default": msgspec.structs.asdict(rules.default), "traits": traits}


def apply_survivorship(call: Call[Nothing, types.NewSurvivorship]) -> types.Survivorship:
    rules = read_survivorship(call.body.survivorship)
    properties = {"survivorship": document_of(rules)}
    call.platform.profiles.validate("survivorship.applied", properties)
    if not call.body.dry_run:
        call.platform.decide("survivorship.applied", properties, call.actor.name)
    return types.Survivorship(survivorship=properties["survivorship"])


EXAMPLE = {
    "definition": {"name": "visits_30_days", "compute": "count", "events": ["Store Visited"], "window_days": 30},
}

OPERATIONS = (
    Operation(
        name="computed.list",
        method="GET",
        path="/v1/computed-traits",
        summary="List the computed traits",
        permission="definitions.read",
        handle=list_,
        query=Paging,
        answer=Page[types.ComputedTrait],
    ),
    Operation(
        name="computed.get",
        method="GET",
        path="/v1/computed-traits/{computed}",
        summary="Get a computed trait",
        permission="definitions.read",
        handle=get,
        answer=types.ComputedTrait,
        errors=(NotFound,),
        guard=get,
    ),
    Operation(
        name="computed.apply",
        method="PUT",
        path="/v1/computed-traits/{computed}",
        summary="Apply a computed trait",
        description="A new one is filled from the whole history before the answer comes. `dry_run` only checks it.",
        permission="definitions.write",
        handle=apply,
        body=types.Definition,
        answer=types.ComputedTrait,
        errors=(DefinitionInvalid,),
        lane="write",
        guard=get,
        audit="definition.applied",
        subject=lambda call, _answer: f"computed trait {call.path['computed']}",
        example=EXAMPLE,
    ),
    Operation(
        name="computed.remove",
        method="DELETE",
        path="/v1/computed-traits/{computed}",
        summary="Remove a computed trait",
        permission="definitions.write",
        handle=remove,
        status=204,
        errors=(NotFound,),
        lane="write",
        guard=get,
        audit="definition.removed",
        subject=lambda call, _answer: f"computed trait {call.path['computed']}",
    ),
    Operation(
        name="survivorship.get",
        method="GET",
        path="/v1/survivorship",
        summary="Get the survivorship rules",
        permission="definitions.read",
        handle=survivorship,
        answer=types.Survivorship,
        guard=survivorship,
    ),
    Operation(
        name="survivorship.apply",
        method="PUT",
        path="/v1/survivorship",
        summary="Apply survivorship rules",
        description="Which value of a trait wins in the golden record. `dry_run` only checks them.",
        permission="definitions.write",
        handle=apply_survivorship,
        body=types.NewSurvivorship,
        answer=types.Survivorship,
        errors=(DefinitionInvalid,),
        lane="write",
        guard=survivorship,
        audit="definition.applied",
        subject=lambda _call, _answer: "survivorship",
        example={"survivorship": {"default": "latest", "traits": {"phone": {"rule": "most_frequent"}}}},
    ),
)
