"""Observed goods are kept as they were told, so that they can be asked for in the words of EPCIS 2.0."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from cauce.commerce.tills import movements
from cauce.commerce.tills.deeds import Capture
from cauce.commerce.tills.store import OBSERVED, OBSERVED_IN, Observed, ObservedIn
from cauce.commerce.transact.work import Work

LISTS: dict[str, str] = {
    "epcList": "epc",
    "childEPCs": "epc",
    "inputEPCList": "input",
    "outputEPCList": "output",
}
QUANTITIES: dict[str, str] = {
    "quantityList": "class",
    "childQuantityList": "class",
    "inputQuantityList": "input_class",
    "outputQuantityList": "output_class",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def keep(work: Work, deed: Capture) -> None:
    """Keeps an event with what it names."""
    event = msgspec.json.decode(deed.body)
    id_ = deed.where.position
    while work.get(OBSERVED, id_) is not None:
        id_ += 1
    declared = event.get("errorDeclaration")
    row = Observed(
        id_,
        _text(event.get("eventID")),
        _text(event.get("type")),
        _text(event.get("action")),
        movements.word(event.get("bizStep")),
        movements.word(event.get("disposition")),
        _location(event, "readPoint"),
        _location(event, "bizLocation"),
        moment(event.get("eventTime")) or deed.where.at,
        work.now,
        int(isinstance(declared, Mapping)),
        movements.word(declared.get("reason")) if isinstance(declared, Mapping) else "",
        deed.body,
    )
    work.put(OBSERVED, row)
    for value, role in dict.fromkeys(_named(event)):
        work.put(OBSERVED_IN, ObservedIn(value, role, id_))


def moment(text: Any) -> int | None:
    """Microseconds of an RFC 3339 time; None when it is none."""
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    since = (found if found.tzinfo else found.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _named(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, role in LISTS.items():
        yield from ((epc, role) for epc in _listed(event, name) if isinstance(epc, str))
    for name, role in QUANTITIES.items():
        yield from ((_text(one.get("epcClass")), role) for one in _listed(event, name) if isinstance(one, Mapping))
    if event.get("parentID"):
        yield _text(event["parentID"]), "parent"
    for kind, transaction in movements.transactions(event):
        yield transaction, f"transaction:{kind}"
    for name in ("source", "destination"):
        for one in _listed(event, f"{name}List"):
            if isinstance(one, Mapping):
                yield _text(one.get(name)), f"{name}:{movements.word(one.get('type'))}"


def _listed(event: Mapping[str, Any], name: str) -> Iterable[Any]:
    found = event.get(name)
    return found if isinstance(found, list) else ()


def _location(event: Mapping[str, Any], name: str) -> str:
    found = event.get(name)
    return _text(found.get("id")) if isinstance(found, Mapping) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
