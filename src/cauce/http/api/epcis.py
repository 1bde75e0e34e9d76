"""Observed goods: the query interface of GS1 EPCIS 2.0. Capture is a door of events (`cauce.http.intake`)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from cauce.client.types import epcis as types
from cauce.commerce.tills import observed
from cauce.connectors.epcis import STANDARD_CONTEXT
from cauce.errors import Unreadable
from cauce.http.api.moments import told
from cauce.http.api.operation import Call, Operation
from cauce.model.time import from_datetime

_TOKEN = re.compile(r"(-?\d{1,18})-(\d{1,19})")


def events(call: Call[types.EpcisQuery, None]) -> types.EpcisQueryDocument:
    query = call.query
    found = observed.find(call.platform.commerce, _filter(query), _after(query.nextPageToken))
    contexts: list[Any] = [STANDARD_CONTEXT]
    shown = []
    for event in found.events:
        contexts += [one for one in event.pop("@context", []) if one not in contexts]
        shown.append(event)
    results = types.EpcisQueryResults(queryName="SimpleEventQuery", resultsBody=types.EpcisResults(eventList=shown))
    return types.EpcisQueryDocument(
        context=contexts,
        type="EPCISQueryDocument",
        schemaVersion="2.0",
        creationDate=told(call.platform.commerce.now),
        epcisBody=types.EpcisBody(queryResults=results),
        nextPageToken=f"{found.after[0]}-{found.after[1]}" if found.after else "",
    )


def _filter(query: types.EpcisQuery) -> observed.Filter:
    return observed.Filter(
        types=query.eventType,
        actions=query.EQ_action,
        steps=query.EQ_bizStep,
        dispositions=query.EQ_disposition,
        read_points=query.EQ_readPoint,
        locations=query.EQ_bizLocation,
        ids=query.EQ_eventID,
        reasons=query.EQ_errorReason,
        declared=query.EXISTS_errorDeclaration,
        epcs=query.MATCH_epc,
        any_epcs=query.MATCH_anyEPC,
        classes=query.MATCH_epcClass,
        transactions=query.EQ_bizTransaction,
        event_since=_moment(query.GE_eventTime),
        event_until=_moment(query.LT_eventTime),
        record_since=_moment(query.GE_recordTime),
        record_until=_moment(query.LT_recordTime),
        order=query.orderBy,
        descending=query.orderDirection == "DESC",
        limit=query.perPage,
    )


def _moment(told_as: datetime | None) -> int | None:
    return from_datetime(told_as) if told_as is not None else None


def _after(token: str) -> tuple[int, int] | None:
    if not token:
        return None
    match = _TOKEN.fullmatch(token)
    if match is None or int(match[2]) >= 2**63:
        raise Unreadable("expected nextPageToken as a page before told it", hint="Leave it out for the first page")
    return int(match[1]), int(match[2])


OPERATIONS = (
    Operation(
        name="epcis.events",
        method="GET",
        path="/v1/epcis/events",
        summary="Query observed goods",
        description="The simple event query of GS1 EPCIS 2.0; parameters carry the standard's names. Documents are "
        "captured with a source's write key at `POST /v1/epcis/capture`. Error declarations are events of their own "
        "and stand beside what they declare wrong.",
        permission="commerce.read",
        handle=events,
        query=types.EpcisQuery,
        answer=types.EpcisQueryDocument,
        parameters={"EQ_bizStep": "receiving"},
    ),
)
