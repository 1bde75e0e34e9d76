"""Shops, tills and payments: connect a source to a system that signs what it sends, and keep what both share."""

from __future__ import annotations

from typing import Any

from cauce import registry
from cauce.console.areas import sources
from cauce.console.frame import Answer, Area, Led, Page, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import DefinitionInvalid
from cauce.events.connections import API, CHARACTERS_MAX, CHARACTERS_MIN, SIGNING, Secret

NAME = "systems"
PLACES = {
    "shopify": marked("In Shopify: Settings → Notifications → Webhooks; the secret stands under the list."),
    "woocommerce": marked("In WooCommerce: Settings → Advanced → Webhooks; choose a long secret for each webhook."),
    "square": marked("In Square: Developer Console → Webhooks → Subscriptions; the secret is the signature key."),
    "stripe": marked("In Stripe: Workbench → Webhooks → your endpoint; the secret begins with `whsec_`."),
}
"""Where each system asks for the address and shows its secret."""
FAULT = marked("Expected %(least)s to %(most)s letters, digits and signs without blanks: paste it whole.")
NO_ADDRESS = marked("Expected an https address without a user or password.")


# -- looking ------------------------------------------------------------------------------------------------------


def listed(visit: Visit) -> Answer:
    """Every system that a source can be connected to, and whether it is."""
    name = visit.path["name"]
    known = {one.connector: one for one in visit.platform.sources.connections.connections(name)}
    living = [one for one in visit.platform.sources.connections.secrets(name) if one.revoked is None]
    rows = []
    for system, title in _systems().items():
        signing = sum(1 for one in living if (one.connector, one.purpose) == (system, SIGNING))
        reconciled = known[system].reconciled if system in known else 0
        rows.append(
            {
                "system": system,
                "title": title,
                "is_connected": signing > 0,
                "fetched": visit.words.moment(reconciled or None),
            }
        )
    return {**sources.frame(visit, "systems"), "systems": rows}


def system(visit: Visit) -> Answer:
    """One system: the address that it sends to, the secrets, and where its own API is."""
    return _shown(visit, {})


# -- changing -----------------------------------------------------------------------------------------------------


def add(visit: Visit) -> Answer:
    """Takes a secret, which is shown nowhere again."""
    name, system_ = visit.path["name"], _named(visit)
    purpose = API if visit.form.get("purpose") == API else SIGNING
    field = "credential" if purpose == API else "secret"
    try:
        visit.platform.sources.connections.add_secret(
            name, system_, visit.form.get(field, ""), purpose=purpose, by=visit.actor
        )
    except DefinitionInvalid as fault:
        least, most = visit.words.number(CHARACTERS_MIN), visit.words.number(CHARACTERS_MAX)
        said = visit.say(FAULT, least=least, most=most) if "secret of" in fault.message else str(fault)
        return Shown("systems/system.html", _shown(visit, {"faults": {field: said}}), 422)
    return Led(f"/sources/{name}/systems/{system_}", visit.say("The secret is kept; it is never shown again."))


def forget(visit: Visit) -> Answer:
    name, system_, hint = visit.path["name"], _named(visit), visit.form.get("hint", "")
    visit.platform.sources.connections.revoke_secret(name, hint, by=visit.actor)
    said = visit.say("The secret %(hint)s is forgotten: what it signs is refused from now on.", hint=hint)
    return Led(f"/sources/{name}/systems/{system_}", said)


def connect(visit: Visit) -> Answer:
    """Keeps the addresses."""
    name, system_ = visit.path["name"], _named(visit)
    given = {field: visit.form.get(field, "").strip() for field in ("public_url", "api_url") if field in visit.form}
    try:
        visit.platform.sources.connections.connect(name, system_, **given, by=visit.actor)
    except DefinitionInvalid as fault:
        named = [field for field in given if f"expected {field} " in fault.message]
        if not named:
            raise
        faults = {named[0]: visit.say(NO_ADDRESS)}
        return Shown("systems/system.html", _shown(visit, {**given, "faults": faults}), 422)
    return Led(f"/sources/{name}/systems/{system_}", visit.say("The addresses have been saved."))


# -- values -------------------------------------------------------------------------------------------------------


def _systems() -> dict[str, str]:
    """Names and titles of the systems that sign what they send, by title."""
    found = registry.find("cauce.connectors", role="verify")
    titles = {name: str(getattr(module, "TITLE", name)) for name, module in found.items()}
    return dict(sorted(titles.items(), key=lambda pair: pair[1].casefold()))


def _named(visit: Visit) -> str:
    name = visit.path["system"]
    registry.pick(registry.find("cauce.connectors", role="verify"), name, what="system that signs")
    return name


def _shown(visit: Visit, given: dict[str, Any]) -> dict[str, Any]:
    name, system_ = visit.path["name"], _named(visit)
    module = registry.find("cauce.connectors", role="verify")[system_]
    connections = visit.platform.sources.connections
    connection = connections.connection(name, system_)
    own = [one for one in connections.secrets(name) if one.connector == system_]
    faults = {"secret": "", "credential": "", "public_url": "", "api_url": "", **given.pop("faults", {})}
    address = f"{visit.asked.base_url}/v1/channels/{system_}/{name}"
    return {
        **sources.frame(visit, "systems"),
        "system": system_,
        "title": _systems()[system_],
        "where": visit.say(PLACES[system_]) if system_ in PLACES else "",
        "address": connection.public_url or address,
        "signs_address": getattr(module, "NEEDS_PUBLIC_URL", False),
        "is_saved": bool(connection.public_url),
        "is_polled": hasattr(module, "changes"),
        "secrets": [_secret(visit, one) for one in own if one.purpose == SIGNING],
        "credentials": [_secret(visit, one) for one in own if one.purpose == API],
        "given": {
            "public_url": connection.public_url or address,
            "api_url": connection.api_url or getattr(module, "API_URL", ""),
            **given,
        },
        "fetched": visit.words.moment(connection.reconciled or None),
        "command": f"cauce reconcile {name} --with {system_}",
        "faults": faults,
    }


def _secret(visit: Visit, one: Secret) -> dict[str, Any]:
    return {
        "hint": one.hint,
        "created": visit.words.moment(one.created),
        "revoked": "" if one.revoked is None else visit.words.moment(one.revoked),
    }


AREA = Area(
    title=marked("Shops and tills"),
    home="/sources",
    permission="sources.read",
    icon="sources",
    within="sources",
    pages=(
        Page("/sources/{name}/systems", listed, "systems/list.html"),
        Page("/sources/{name}/systems/{system}", system, "systems/system.html"),
        Page("/sources/{name}/systems/{system}/secrets", add, method="POST", permission="sources.write"),
        Page("/sources/{name}/systems/{system}/forget", forget, method="POST", permission="sources.write"),
        Page("/sources/{name}/systems/{system}/addresses", connect, method="POST", permission="sources.write"),
    ),
)
