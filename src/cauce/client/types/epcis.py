"""Observed goods in the words of GS1 EPCIS 2.0."""

# ruff: noqa: N815 - fields carry the names of the standard

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from cauce.client.types.basics import Answer, Moment, Request

Id = Annotated[str, Meta(min_length=1, max_length=2_000)]
Ids = Annotated[list[Id], Meta(max_length=100, description="Alternatives: told once for each.")]
Word = Annotated[str, Meta(min_length=1, max_length=200)]
Words = Annotated[list[Word], Meta(max_length=100, description="Alternatives: told once for each.")]
PerPage = Annotated[int, Meta(ge=1, le=1_000, description="Most events of the page.")]
Token = Annotated[str, Meta(max_length=100, description="`nextPageToken` of the page before.")]
Since = Annotated[Moment | None, Meta(description="At this moment or later.")]
Before = Annotated[Moment | None, Meta(description="Before this moment.")]


class EpcisQuery(Request, frozen=True, kw_only=True):
    """Parameters of the standard's simple event query; those that are told hold all together."""

    eventType: Words = field(default_factory=list)
    GE_eventTime: Since = None
    LT_eventTime: Before = None
    GE_recordTime: Since = None
    LT_recordTime: Before = None
    EQ_action: Words = field(default_factory=list)
    EQ_bizStep: Words = field(default_factory=list)
    EQ_disposition: Words = field(default_factory=list)
    EQ_readPoint: Ids = field(default_factory=list)
    EQ_bizLocation: Ids = field(default_factory=list)
    EQ_bizTransaction: Ids = field(default_factory=list)
    EQ_eventID: Ids = field(default_factory=list)
    MATCH_epc: Ids = field(default_factory=list)
    MATCH_anyEPC: Ids = field(default_factory=list)
    MATCH_epcClass: Ids = field(default_factory=list)
    EXISTS_errorDeclaration: bool | None = None
    EQ_errorReason: Words = field(default_factory=list)
    orderBy: Literal["eventTime", "recordTime"] = "recordTime"
    orderDirection: Literal["ASC", "DESC"] = "ASC"
    perPage: PerPage = 50
    nextPageToken: Token = ""


class EpcisResults(Answer, frozen=True, kw_only=True):
    """Events as they were captured, with when they were recorded."""

    eventList: list[dict[str, Any]]


class EpcisQueryResults(Answer, frozen=True, kw_only=True):
    """What a query found."""

    queryName: str
    resultsBody: EpcisResults


class EpcisBody(Answer, frozen=True, kw_only=True):
    """The body of a query document."""

    queryResults: EpcisQueryResults


class EpcisQueryDocument(Answer, frozen=True, kw_only=True):
    """A page of observed goods. `nextPageToken` gets the next one and is empty at the end."""

    context: list[Any] = field(name="@context")
    type: str
    schemaVersion: str
    creationDate: Moment
    epcisBody: EpcisBody
    nextPageToken: str
