"""Goods that were seen somewhere: capture documents of GS1 EPCIS 2.0 in JSON (https://ref.gs1.org/standards/epcis/).

A record's body is `{"batch": [EVENT, …]}`: the events of a document, each with the namespaces that the document
declares for it (`@context`, beside that of the standard). An event of EPCIS becomes one event of the river, *Goods
Observed*, with everything that it says as properties; it is known by its content, because an error declaration carries
the id of the event that it declares wrong.

What the standard asks for is written down as a schema: fields by the type of event, words of the Core Business
Vocabulary 2.0, names of extensions with their namespace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import blake2b
from typing import Any

import jsonschema_rs
import msgspec

from cauce.connectors.reading import aside, read_body, refused, shown
from cauce.connectors.values import moment_of
from cauce.errors import Unreadable
from cauce.model import Event, Reason, Received, Record, Source, position_of

NAME = "epcis"
READS_COMPRESSED = True

OBSERVED = "Goods Observed"
STANDARD_CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
STANDARD_CONTEXTS = (STANDARD_CONTEXT, "https://ref.gs1.org/standards/epcis/epcis-context.jsonld")
ITEMS_PER_RECORD = 500
RECORD_BYTES = 2**20
EVENTS_MAX = 100_000
EPCS_MAX = 100_000
FAULTS_MAX = 50
SHOWN_MAX = 5


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


STEPS = _words(
    "accepting arriving assembling collecting commissioning consigning creating_class_instance cycle_counting"
    " decommissioning departing destroying disassembling dispensing encoding entering_exiting holding inspecting"
    " installing killing loading other packing picking receiving removing repackaging repairing replacing reserving"
    " retail_selling sampling sensor_reporting shipping staging_outbound stock_taking stocking storing transporting"
    " unloading unpacking void_shipping"
)
DISPOSITIONS = _words(
    "active available completeness_inferred completeness_verified conformant container_closed container_open damaged"
    " destroyed dispensed disposed encoded expired in_progress in_transit inactive mismatch_class mismatch_instance"
    " mismatch_quantity needs_replacement no_pedigree_match non_conformant non_sellable_other partially_dispensed"
    " recalled reserved retail_sold returned sellable_accessible sellable_not_accessible stolen unavailable unknown"
)
TRANSACTION_TYPES = _words("bol cert desadv inv pedigree po poc prodorder recadv rma testprd testres upevt")
PARTY_TYPES = _words("location owning_party possessing_party")
ERROR_REASONS = _words("did_not_occur incorrect_data")
TYPES = ("ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent", "AssociationEvent")
_URI = r"[A-Za-z][A-Za-z0-9+.-]*:\S+"
_QUOTED = re.compile(r'"([^"]+)" is a required property')
_encode = msgspec.json.Encoder(order="deterministic").encode

Object = dict[str, Any]


# -- the standard as a schema -----------------------------------------------------------------------------------------


def _word(words: tuple[str, ...], what: str) -> Object:
    return {
        "type": "string",
        "pattern": f"^({'|'.join(words)}|{_URI})$",
        "description": f"{what} of the Core Business Vocabulary 2.0, or a URI of another vocabulary",
    }


def _list_of(items: Object, **more: Any) -> Object:
    return {"type": "array", "items": items, "maxItems": EPCS_MAX, **more}


def _object(properties: Object, required: tuple[str, ...] = (), *, extends: bool = False) -> Object:
    """An object with these fields and no others; with `extends` also with those of a namespace."""
    found = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return {**found, "patternProperties": {"^[^:]+:.+$": {}}} if extends else found


URI = {"type": "string", "pattern": f"^{_URI}$", "description": "a URI"}
TIME = {"type": "string", "format": "date-time", "description": "a time with its offset, as 2026-11-30T18:05:00+01:00"}
STEP, DISPOSITION = _word(STEPS, "a business step"), _word(DISPOSITIONS, "a disposition")
ACTION = {"enum": ["ADD", "OBSERVE", "DELETE"], "description": "ADD, OBSERVE or DELETE"}
UNIT = {"type": "string", "pattern": "^[A-Z0-9]{2,3}$", "description": "a unit of UN/ECE Recommendation 20"}
EPCS = _list_of(URI, uniqueItems=True)
AMOUNT = {"type": "number", "description": "a number"}
QUANTITIES = _list_of(_object({"epcClass": URI, "quantity": AMOUNT, "uom": UNIT}, ("epcClass",)))
LOCATION = _object({"id": URI}, ("id",), extends=True)
TRANSACTIONS = _list_of(
    _object({"type": _word(TRANSACTION_TYPES, "a transaction type"), "bizTransaction": URI}, ("bizTransaction",))
)
SENSORS = _list_of(
    _object(
        {"sensorMetadata": {"type": "object"}, "sensorReport": _list_of({"type": "object"}, minItems=1)},
        ("sensorReport",),
        extends=True,
    )
)
ILMD = {
    "type": "object",
    "propertyNames": {"pattern": "^[^:]+:.+$", "description": "a name with its namespace, as example:lot"},
}
DECLARATION = _object(
    {
        "declarationTime": TIME,
        "reason": _word(ERROR_REASONS, "a reason"),
        "correctiveEventIDs": _list_of(URI),
    },
    ("declarationTime",),
    extends=True,
)


def _parties(name: str) -> Object:
    return _list_of(_object({"type": _word(PARTY_TYPES, f"a type of {name}"), name: URI}, ("type", name)))


COMMON: Object = {
    "@context": {},
    "type": {"type": "string"},
    "eventTime": TIME,
    "recordTime": TIME,
    "eventTimeZoneOffset": {
        "type": "string",
        "pattern": r"^[+-]((0\d|1[0-3]):[0-5]\d|14:00)$",
        "description": "an offset such as +01:00",
    },
    "eventID": URI,
    "errorDeclaration": DECLARATION,
    "certificationInfo": {"type": ["array", "string"], "items": URI, "pattern": f"^{_URI}$", "description": "URIs"},
    "bizStep": STEP,
    "disposition": DISPOSITION,
    "persistentDisposition": _object({"set": _list_of(DISPOSITION), "unset": _list_of(DISPOSITION)}),
    "readPoint": LOCATION,
    "bizLocation": LOCATION,
    "bizTransactionList": TRANSACTIONS,
    "sourceList": _parties("source"),
    "destinationList": _parties("destination"),
    "sensorElementList": SENSORS,
}
CHILDREN: Object = {"parentID": URI, "childEPCs": EPCS, "childQuantityList": QUANTITIES, "action": ACTION}
FIELDS: dict[str, tuple[Object, tuple[str, ...], tuple[str, ...]]] = {
    "ObjectEvent": (
        {"action": ACTION, "epcList": EPCS, "quantityList": QUANTITIES, "ilmd": ILMD},
        ("action",),
        ("epcList", "quantityList", "sensorElementList"),
    ),
    "AggregationEvent": (CHILDREN, ("action",), ("parentID", "childEPCs", "childQuantityList")),
    "AssociationEvent": (CHILDREN, ("action", "parentID"), ()),
    "TransactionEvent": (
        {"parentID": URI, "epcList": EPCS, "quantityList": QUANTITIES, "action": ACTION},
        ("action", "bizTransactionList"),
        (),
    ),
    "TransformationEvent": (
        {
            "inputEPCList": EPCS,
            "inputQuantityList": QUANTITIES,
            "outputEPCList": EPCS,
            "outputQuantityList": QUANTITIES,
            "transformationID": URI,
            "ilmd": ILMD,
        },
        (),
        ("inputEPCList", "inputQuantityList", "outputEPCList", "outputQuantityList"),
    ),
}
"""Type of event → its own fields, those it must have, and those of which it must have one."""


@cache
def _validator(kind: str) -> Any:
    fields, required, alternatives = FIELDS.get(kind, ({}, (), ()))
    schema = _object({**COMMON, **fields}, ("type", "eventTime", "eventTimeZoneOffset", *required), extends=True)
    if alternatives:
        schema["anyOf"] = [{"required": [name]} for name in alternatives]
    if kind not in FIELDS:
        schema["additionalProperties"] = True  # a type of another vocabulary has fields of its own
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True), schema


def faults_of(event: Any, path: str = "") -> list[Reason]:
    """Everything for which an event is none of EPCIS 2.0, [] when it is one."""
    if not isinstance(event, dict):
        return [Reason("not_an_object", path, "an event", shown(event))]
    kind = event.get("type")
    if not isinstance(kind, str) or (kind not in TYPES and ":" not in kind):
        expected = f"one of {', '.join(TYPES)}, or a type with its namespace"
        return [Reason("type_unknown", f"{path}/type", expected, shown(kind))]
    validator, schema = _validator(kind if kind in TYPES else "")
    return [_reason(fault, schema, kind, path) for fault in _first(validator.iter_errors(event))]


def document_faults(document: Any) -> list[Reason]:
    """Everything for which a capture document is none, its events included."""
    if not isinstance(document, dict):
        return [Reason("not_an_object", "", "an EPCISDocument", shown(document))]
    faults = []
    if document.get("type") != "EPCISDocument":
        faults.append(Reason("type_unknown", "/type", "EPCISDocument", shown(document.get("type"))))
    if not document.get("@context"):
        faults.append(Reason("value_missing", "/@context", f"a context with {STANDARD_CONTEXT}", "none"))
    version = document.get("schemaVersion")
    if not (isinstance(version, str) and version.startswith("2.")):
        faults.append(Reason("value_not_allowed", "/schemaVersion", "2.0", shown(version)))
    if moment_of(document.get("creationDate")) is None:
        faults.append(
            Reason("time_unreadable", "/creationDate", TIME["description"], shown(document.get("creationDate")))
        )
    events = _events(document)
    if events is None:
        faults.append(Reason("object_expected", "/epcisBody/eventList", f"a list of at most {EVENTS_MAX} events", ""))
        return faults
    for index, event in enumerate(events):
        faults += faults_of(event, f"/epcisBody/eventList/{index}")
        if len(faults) >= FAULTS_MAX:
            break
    return faults[:FAULTS_MAX]


def _events(document: Mapping[str, Any]) -> list[Any] | None:
    body = document.get("epcisBody")
    if not isinstance(body, dict):
        return None
    events = body.get("eventList", [body["event"]] if "event" in body else None)
    return events if isinstance(events, list) and 0 < len(events) <= EVENTS_MAX else None


def _first(found: Iterator[Any]) -> list[Any]:
    return [fault for _, fault in zip(range(FAULTS_MAX), found, strict=False)]


def _reason(fault: Any, schema: Object, kind: str, path: str) -> Reason:
    """A fault of the schema in the words of people."""
    where = path + "".join(f"/{part}" for part in fault.instance_path)
    steps = [str(step) for step in fault.schema_path]
    rule = steps[-1] if steps else ""
    if steps == ["anyOf"]:
        names = ", ".join(FIELDS[kind][2])
        return Reason("property_missing", where, f"one of {names}", "none of them")
    if rule == "required":
        named = _QUOTED.search(fault.message)
        return Reason("property_missing", f"{where}/{named[1] if named else ''}", "a value", "none")
    if rule in ("additionalProperties", "propertyNames") or "propertyNames" in steps:
        return Reason(
            "property_unexpected", where, f"fields of {kind}, or names with their namespace", shown(fault.message)
        )
    expected = next(
        (found["description"] for found in _above(schema, steps) if isinstance(found, dict) and "description" in found),
        fault.message,
    )
    code = {"type": "type_wrong", "enum": "value_not_allowed", "format": "time_unreadable"}.get(
        rule, "pattern_mismatch"
    )
    return Reason(code, where, expected, shown(fault.instance))


def _above(schema: Any, steps: list[str]) -> Iterator[Any]:
    """The parts of a schema on the way to a rule, the nearest first."""
    found = [schema]
    for step in steps:
        inside = found[-1]
        found.append(inside[int(step)] if isinstance(inside, list) else inside.get(step, {}))
    yield from reversed(found)


# -- at the door ------------------------------------------------------------------------------------------------------


def frame(body: bytes, manner: str = "") -> list[bytes]:
    """Bodies of records for a capture document. Unreadable, with the first faults, when it is none.

    With `manner` *capture* the document is taken whole or not at all, as the standard's capture interface does by
    default; otherwise an event that is wrong is no fault of its document and goes to quarantine by itself.
    """
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise Unreadable(f"the body is no JSON: {fault}", hint="Send an EPCISDocument") from None
    faults = document_faults(document)
    if manner != "capture":
        faults = [fault for fault in faults if not fault.path.startswith("/epcisBody/eventList/")]
    if faults:
        told = "; ".join(map(str, faults[:SHOWN_MAX]))
        more = f" (and {len(faults) - SHOWN_MAX} more)" if len(faults) > SHOWN_MAX else ""
        raise Unreadable(f"the body is no EPCISDocument: {told}{more}", hint="See https://ref.gs1.org/standards/epcis/")
    return framed(document)


def framed(document: Mapping[str, Any]) -> list[bytes]:
    """Bodies of records for the events of a document, each with the namespaces that the document declares."""
    own = namespaces(document.get("@context"))
    found: list[bytes] = []
    waiting: list[bytes] = []
    size = 0
    for event in _events(document) or ():
        item = msgspec.json.encode({"@context": own, **event} if own and isinstance(event, dict) else event)
        if waiting and (len(waiting) >= ITEMS_PER_RECORD or size + len(item) > RECORD_BYTES):
            found.append(b'{"batch":[' + b",".join(waiting) + b"]}")
            waiting, size = [], 0
        waiting.append(item)
        size += len(item)
    return [*found, b'{"batch":[' + b",".join(waiting) + b"]}"] if waiting else found


def namespaces(context: Any) -> list[Any]:
    """What a context declares beside the standard."""
    listed = context if isinstance(context, list) else [context] if context else []
    return [one for one in listed if one not in STANDARD_CONTEXTS]


# -- in the river -----------------------------------------------------------------------------------------------------


def decode(record: Record, source: Source) -> list[Received]:
    """Events of a record in order, each as an event or with the reasons why it is none; pure, never raises."""
    found: list[Received] = []
    for index, item in enumerate(read_body(record).items):
        other = aside(record, source, index, item)
        found.append(_received(record, source, index, item) if other is None else other)
    return found


def _received(record: Record, source: Source, index: int, item: Object) -> Received:
    said = {name: value for name, value in item.items() if name != "messageId"}
    faults = faults_of(said)
    told = {name: value for name, value in said.items() if name not in ("recordTime", "@context")}
    item["messageId"] = id_ = f"epcis-{blake2b(_encode(told), digest_size=16).hexdigest()}"
    if faults:
        return refused(record, source, index, item, *faults)
    position = position_of(record.offset, index)
    occurred = moment_of(said["eventTime"])
    event = Event(
        id_, record.source, source.channel, "track", OBSERVED,
        record.received if occurred is None else occurred, record.received, position, (), {}, said,
    )  # fmt: skip
    return Received(position, record.source, source.channel, record.received, item, event)
