"""Sources: connect a channel, see its first event arrive, look at what becomes of what it sends, keep its keys."""

from __future__ import annotations

from typing import Any

import msgspec

from cauce.app.arrivals import WAITING, Arrival, arrivals
from cauce.console.areas.quarantine_parts import in_words
from cauce.console.areas.quarantine_words import said_of
from cauce.console.charts import color_of, spark
from cauce.console.flow import STATES, Wellbeing, how, wellbeing
from cauce.console.frame import Answer, Area, Led, Page, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import CauceError, DefinitionInvalid
from cauce.events.sources import MODES, Key
from cauce.http.snippets import snippets
from cauce.model import Reason, Source

NAME = "sources"
CHANNELS = (
    ("web", "web"), ("app", "phone"), ("pos", "till"), ("store", "shop"), ("call_center", "call"), ("email", "mail"),
    ("whatsapp", "chat"), ("crm", "people"), ("social", "link"), ("survey", "edit"),
)  # fmt: skip
"""(channel, icon) of the channels that are offered; any other may be written."""
CLIENTS = {
    "Web page (Segment)": marked("Web page (Segment)"),
    "Web page (RudderStack)": marked("Web page (RudderStack)"),
    "Node": marked("Node"),
    "Python (Segment)": marked("Python (Segment)"),
    "Python (RudderStack)": marked("Python (RudderStack)"),
    "Anything": marked("Anything that speaks HTTP"),
}
FATES = {"stored": "good", "quarantined": "warn", "duplicate": "", "suppressed": "", WAITING: "river"}
MODE_TEXTS = {
    "quarantine": marked("put the event into quarantine"),
    "observe": marked("store the event and count the breach"),
}
TAKEN = marked("There is a source of this name already.")
FAULTS = {
    "name": marked("Expected lower-case letters, digits and `. _ -`: at most 63, a letter or digit first."),
    "channel": marked("Expected a word of at most 63 characters."),
    "region": marked("Expected the two letters of a country, such as ES."),
    "user_id_kind": marked("Expected lower-case letters, digits and `_`, a letter first."),
    "mode": marked("Expected one of the two choices."),
}
"""What each field expects, said where it does not have it."""
PLACEHOLDER = "YOUR_WRITE_KEY"
FILES = """\
cauce import sales.csv --suggest > sales.yaml
cauce import sales.csv --mapping sales.yaml --dry-run
cauce import sales.csv --mapping sales.yaml"""


# -- looking ------------------------------------------------------------------------------------------------------


def listed(visit: Visit) -> Answer:
    """Every source and how it does."""
    return {"sources": [_described(visit, one) for one in visit.kept("overview.sources", wellbeing, seconds=2)]}


def source(visit: Visit) -> Answer:
    """A source and the last things that it sent."""
    return {**frame(visit, "events"), **_arrived(visit)}


def events(visit: Visit) -> Answer:
    """The last raw events alone, asked for while the page stands open."""
    return {"source": _named(visit), **_arrived(visit)}


def connect(visit: Visit) -> Answer:
    """What to paste where."""
    return {**frame(visit, "connect"), **_pasted(visit, PLACEHOLDER), "key": "", **_first(visit)}


def settings(visit: Visit) -> Answer:
    return _settings(visit, {})


def new(visit: Visit) -> Answer:
    """The form that adds a source."""
    return _form(visit, {"channel": visit.query.get("channel", "web")}, {})


def first(visit: Visit) -> Answer:
    """Whether the first event has arrived, asked for until it has."""
    return {"source": _named(visit), **_first(visit)}


# -- changing -----------------------------------------------------------------------------------------------------


def add(visit: Visit) -> Answer:
    """Adds the source and shows its key, once."""
    form = visit.form
    channel = form.get("other", "").strip() if form.get("channel") == "other" else form.get("channel", "")
    given: dict[str, Any] = {
        "name": form.get("name", "").strip(),
        "channel": channel,
        "region": form.get("region", "ES").strip().upper(),
        "user_id_kind": form.get("user_id_kind", "user_id").strip(),
        "shared_device": "shared_device" in form,
        "mode": form.get("mode", MODES[-1]),
    }
    try:
        key = visit.platform.sources.add(Source(**given), by=visit.actor)
    except CauceError as fault:
        return Shown("sources/new.html", _form(visit, given, _fault_of(visit, fault, given)), 422)
    return _with_key(visit, given["name"], key)


def rotate(visit: Visit) -> Answer:
    """Makes a further key and shows it, once; the older ones work until they are revoked."""
    name = _named(visit).name
    return _with_key(visit, name, visit.platform.sources.rotate(name, by=visit.actor))


def revoke(visit: Visit) -> Answer:
    name, hint = _named(visit).name, visit.form.get("hint", "")
    visit.platform.sources.revoke(name, hint, by=visit.actor)
    return Led(f"/sources/{name}/settings", visit.say("The key that ends in %(hint)s works no more.", hint=hint))


def change(visit: Visit) -> Answer:
    """Changes what may be changed of a source; its name and channel stay."""
    name, form = _named(visit).name, visit.form
    bound = form.get("event_bytes_max", "0").strip()
    given: dict[str, Any] = {
        "region": form.get("region", "").strip().upper(),
        "user_id_kind": form.get("user_id_kind", "").strip(),
        "mode": form.get("mode", ""),
        "shared_device": "shared_device" in form,
        "event_bytes_max": int(bound) if bound.isascii() and bound.isdigit() and len(bound) < 10 else -1,
    }
    if given["event_bytes_max"] < 0:
        said = visit.say("Expected a whole number of bytes, 0 for the bound of the installation.")
        return Shown("sources/settings.html", _settings(visit, {**given, "faults": {"event_bytes_max": said}}), 422)
    try:
        visit.platform.sources.change(name, by=visit.actor, **given)
    except CauceError as fault:
        return Shown(
            "sources/settings.html", _settings(visit, {**given, "faults": _fault_of(visit, fault, given)}), 422
        )
    return Led(f"/sources/{name}/settings", visit.say("The settings have been saved."))


def switch(visit: Visit) -> Answer:
    """Turns a source off, or on again."""
    name = _named(visit).name
    if visit.form.get("enabled") == "yes":
        visit.platform.sources.enable(name, by=visit.actor)
        return Led(f"/sources/{name}/settings", visit.say("The source is switched on: what it sends is taken in."))
    visit.platform.sources.disable(name, by=visit.actor)
    return Led(f"/sources/{name}/settings", visit.say("The source is switched off: its requests are refused."), "warn")


# -- values -------------------------------------------------------------------------------------------------------


def _named(visit: Visit) -> Source:
    return visit.platform.sources.get(visit.path["name"])


def _described(visit: Visit, one: Wellbeing) -> dict[str, Any]:
    words = visit.words
    kind, said = STATES[one.state]
    return {
        "name": one.source,
        "channel": words.channel(one.channel),
        "color": color_of(one.channel),
        "kind": kind,
        "state": visit.say(said),
        "lately": words.number(one.received),
        "share": words.percent(one.share),
        "last": visit.say("never") if one.last_hour is None else words.short_day(one.last_hour),
        "spark": spark(one.hours, color_of(one.channel)),
    }


def frame(visit: Visit, tab: str) -> dict[str, Any]:
    """What stands above every page of one source."""
    found = _named(visit)
    tabs = [("events", visit.say("Last events"), f"/sources/{found.name}")]
    tabs.append(("connect", visit.say("Connect"), f"/sources/{found.name}/connect"))
    tabs.append(("systems", visit.say("Shops and tills"), f"/sources/{found.name}/systems"))
    if visit.may("sources.write"):
        tabs.append(("settings", visit.say("Keys and settings"), f"/sources/{found.name}/settings"))
    return {"source": found, "how": _described(visit, how(visit.platform, found)), "tabs": tabs, "tab": tab}


def _arrived(visit: Visit) -> dict[str, Any]:
    found = arrivals(visit.platform, visit.path["name"])
    if found.items:
        visit.look("source.events_seen", visit.path["name"])
    return {
        "arrivals": [_arrival(visit, one) for one in found.items],
        "looked": visit.words.number(found.records),
        "since": visit.words.moment(found.since),
        "ever": bool(found.items) or visit.platform.quality.last_hour(visit.path["name"]) is not None,
    }


def _arrival(visit: Visit, one: Arrival) -> dict[str, Any]:
    fate = visit.say("waiting to be processed") if one.fate == WAITING else visit.words.fate_of_one(one.fate)
    return {
        "position": one.position,
        "time": visit.words.moment(one.received),
        "iso": visit.words.iso(one.received),
        "name": one.name or one.type or visit.say("unreadable"),
        "type": one.type if one.name else "",
        "id": one.event_id,
        "connector": one.connector,
        "fate": fate,
        "kind": FATES[one.fate],
        "is_quarantined": one.fate == "quarantined",
        "person": one.person if visit.may("people.read") else "",
        "reasons": [_reason(visit, reason) for reason in one.reasons],
        "raw": one.raw if visit.may("people.personal") else "",
        "is_cut": one.is_cut,
    }


def _reason(visit: Visit, reason: Reason) -> str:
    """Why an item was quarantined, in one line."""
    name = visit.say(said_of(reason.code).name)
    place = f" {reason.path}" if reason.path else ""
    if not reason.expected:
        return name + place
    expected, found = in_words(reason.expected, visit.words), in_words(reason.found, visit.words)
    return f"{name}{place}: " + visit.say(
        "expected %(expected)s, found %(found)s", expected=expected, found=found or "–"
    )


def _first(visit: Visit) -> dict[str, Any]:
    """Whether something came, and what it was."""
    name = visit.path.get("name") or visit.form.get("name", "").strip()
    if visit.platform.quality.last_hour(name) is None:
        return {"first": None}
    found = arrivals(visit.platform, name, limit=1).items
    return {"first": _arrival(visit, found[0]) if found else {"name": "", "fate": ""}}


def _pasted(visit: Visit, key: str) -> dict[str, Any]:
    url = visit.asked.base_url
    return {
        "url": url,
        "snippets": [(visit.say(CLIENTS[name]), text) for name, text in snippets(url, key).items()],
        "files": FILES,
    }


def _with_key(visit: Visit, name: str, key: str) -> Shown:
    """The page that shows a fresh key: the answer to the form itself, because nothing keeps the key."""
    found = visit.platform.sources.get(name)
    values = {"source": found, "key": key, "fresh": True, **_pasted(visit, key)}
    is_new = visit.platform.quality.last_hour(name) is None
    return Shown("sources/key.html", {**values, "is_new": is_new, "first": None})


def _form(visit: Visit, given: dict[str, Any], faults: dict[str, str]) -> dict[str, Any]:
    names = [name for name, _ in CHANNELS]
    known = {"name": "", "channel": "web", "region": "ES", "user_id_kind": "user_id", "shared_device": False}
    given = {**known, "mode": "quarantine", **given}
    return {
        "channels": [(name, icon, visit.words.channel(name)) for name, icon in CHANNELS],
        "is_other": given["channel"] not in names,
        "given": given,
        "modes": [(mode, visit.say(MODE_TEXTS[mode])) for mode in reversed(MODES)],
        "faults": {"name": "", "channel": "", "region": "", "user_id_kind": "", "other": "", **faults},
    }


def _settings(visit: Visit, given: dict[str, Any]) -> dict[str, Any]:
    found = _named(visit)
    faults = {"region": "", "user_id_kind": "", "event_bytes_max": "", "other": "", **given.pop("faults", {})}
    return {
        **frame(visit, "settings"),
        "given": {**msgspec.to_builtins(found), **given},
        "faults": faults,
        "modes": [(mode, visit.say(MODE_TEXTS[mode])) for mode in reversed(MODES)],
        "keys": [_key(visit, key) for key in visit.platform.sources.keys(found.name)],
    }


def _key(visit: Visit, key: Key) -> dict[str, Any]:
    return {
        "hint": key.hint,
        "created": visit.words.moment(key.created),
        "revoked": "" if key.revoked is None else visit.words.moment(key.revoked),
    }


def _fault_of(visit: Visit, fault: CauceError, given: dict[str, Any]) -> dict[str, str]:
    """A fault at the field that its message names, in the visitor's words; above the form when it names none."""
    if fault.code == "conflict":
        return {"name": visit.say(TAKEN)}
    if not isinstance(fault, DefinitionInvalid):
        raise fault
    said = f"{fault.message} ".replace("expected a name of", "expected name of")
    named = [name for name in given if name in FAULTS and said.startswith(f"expected {name} ")]
    return {named[0]: visit.say(FAULTS[named[0]])} if named else {"other": visit.said(str(fault))}


AREA = Area(
    title=marked("Sources"),
    home="/sources",
    permission="sources.read",
    icon="sources",
    place=50,
    pages=(
        Page("/sources", listed, "sources/list.html"),
        Page("/sources/new", new, "sources/new.html", permission="sources.write"),
        Page("/sources/new", add, method="POST", permission="sources.write"),
        Page("/sources/{name}", source, "sources/events.html"),
        Page("/sources/{name}/events", events, "sources/arrivals.html"),
        Page("/sources/{name}/first", first, "sources/first.html"),
        Page("/sources/{name}/connect", connect, "sources/connect.html"),
        Page("/sources/{name}/settings", settings, "sources/settings.html", permission="sources.write"),
        Page("/sources/{name}/settings", change, method="POST", permission="sources.write"),
        Page("/sources/{name}/keys", rotate, method="POST", permission="sources.write"),
        Page("/sources/{name}/revoke", revoke, method="POST", permission="sources.write"),
        Page("/sources/{name}/switch", switch, method="POST", permission="sources.write"),
    ),
)
