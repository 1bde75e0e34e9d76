"""Computed traits and survivorship: what is worked out of events, and which value of a trait wins."""

from __future__ import annotations

from typing import Any

import msgspec

from cauce.access.api import require
from cauce.app.definitions import Definitions
from cauce.app.questions import showing_of, shows
from cauce.client.types import definitions as types
from cauce.client.types.basics import Nothing, Page, Paging
from cauce.errors import DefinitionInvalid, NotFound
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.paging import page_after
from cauce.http.api.sight import PERSONAL
from cauce.identity.api import text_of
from cauce.profiles.definitions import Definition, SurvivorshipRules, read_definitions, read_survivorship
from cauce.profiles.masking import masked_trait
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


def sample(call: Call[Nothing, types.TraitToSample]) -> types.Samples:
    require(call.actor, "people.read")
    (definition,) = read_definitions([call.body.definition])
    platform = call.platform
    is_open = call.actor.may(PERSONAL) or shows(showing_of(platform), definition)
    found = Definitions(platform).sample(definition, call.body.people)
    return types.Samples(
        items=[
            types.Sample(
                person=text_of(each.person),
                value=each.value if is_open else masked_trait(definition.name, each.value),
                events=each.events,
                is_cut=each.is_cut,
            )
            for each in found
        ]
    )


def seen(_call: AnyCall, answer: types.Samples) -> str:
    """Who was looked at, for the audit trail."""
    return " ".join(each.person for each in answer.items)


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
        kept="answer",
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
        name="computed.sample",
        method="POST",
        path="/v1/computed-traits/sample",
        summary="Say what a computed trait would say of some people",
        description="Of people of the latest events that it reads; changes nothing. Needs `people.read` too.",
        permission="definitions.read",
        handle=sample,
        body=types.TraitToSample,
        answer=types.Samples,
        errors=(DefinitionInvalid,),
        lane="heavy",
        only_asks=True,
        audit="person.sampled",
        is_look=True,
        subject=seen,
        example={**EXAMPLE, "people": 3},
    ),
    Operation(
        name="computed.remove",
        method="DELETE",
        path="/v1/computed-traits/{computed}",
        summary="Remove a computed trait",
        permission="definitions.write",
        kept="answer",
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
        kept="answer",
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
