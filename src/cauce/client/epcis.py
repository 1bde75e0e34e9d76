"""Observed goods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cauce.client.resource import PAGE_ITEMS, Resource
from cauce.client.types import epcis as types


class Epcis(Resource):
    """What was captured of goods, in the words of GS1 EPCIS 2.0."""

    def events(self, **wanted: Any) -> Iterator[dict[str, Any]]:
        """Events that meet the standard's parameters, as in `EpcisQuery`: `events(EQ_bizStep="receiving")`."""
        token = ""
        while True:
            query = {**wanted, "perPage": PAGE_ITEMS, "nextPageToken": token}
            page = self._transport.ask("GET", "/v1/epcis/events", types.EpcisQueryDocument, query=query)
            yield from page.epcisBody.queryResults.resultsBody.eventList
            token = page.nextPageToken
            if not token:
                return
