"""Questions about observed goods, in the words of the EPCIS 2.0 query language (simple event query)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from cauce.commerce.tills.store import OBSERVED
from cauce.commerce.transact.asking import marks
from cauce.engines.api import Row
from cauce.model import to_iso

ORDERS = {"recordTime": "record_time", "eventTime": "event_time"}
EPC_ROLES = ("epc", "parent", "input", "output")
CLASS_ROLES = ("class", "input_class", "output_class")


class Rows(Protocol):
    """What can be asked in SQL."""

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]: ...


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which observed events are wanted. Values of one list are alternatives; times are in microseconds."""

    types: Sequence[str] = ()
    actions: Sequence[str] = ()
    steps: Sequence[str] = ()
    dispositions: Sequence[str] = ()
    read_points: Sequence[str] = ()
    locations: Sequence[str] = ()
    ids: Sequence[str] = ()
    reasons: Sequence[str] = ()
    declared: bool | None = None
    epcs: Sequence[str] = ()
    any_epcs: Sequence[str] = ()
    classes: Sequence[str] = ()
    transactions: Sequence[str] = ()
    event_since: int | None = None
    event_until: int | None = None
    record_since: int | None = None
    record_until: int | None = None
    order: str = "recordTime"
    descending: bool = False
    limit: int = 50


class Found(NamedTuple):
    """Events as they were captured, and where the next ones begin (None: there are no more)."""

    events: list[dict[str, Any]]
    after: tuple[int, int] | None


def find(rows: Rows, wanted: Filter, after: tuple[int, int] | None = None) -> Found:
    """Events that meet a filter, behind the place where the page before ended."""
    column = ORDERS[wanted.order]
    conditions, parameters = _conditions(wanted)
    direction, sign = (" desc", "<") if wanted.descending else ("", ">")
    if after is not None:
        conditions.append(f"({column} {sign} ? or ({column} = ? and id {sign} ?))")
        parameters += [after[0], after[0], after[1]]
    where = f" where {' and '.join(conditions)}" if conditions else ""
    found = rows.select(
        f"select id, {column}, record_time, body from {OBSERVED.name}{where} "
        f"order by {column}{direction}, id{direction} limit {int(wanted.limit) + 1}",
        parameters,
    )
    shown = found[: wanted.limit]
    more = len(found) > len(shown)
    return Found([_told(body, recorded) for _, _, recorded, body in shown], tuple(shown[-1][1::-1]) if more else None)


def _told(body: bytes, recorded: int) -> dict[str, Any]:
    event: dict[str, Any] = msgspec.json.decode(body)
    return {**event, "recordTime": to_iso(recorded)}


def _conditions(wanted: Filter) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    parameters: list[Any] = []
    for column, values in (
        ("type", wanted.types), ("action", wanted.actions), ("step", wanted.steps),
        ("disposition", wanted.dispositions), ("read_point", wanted.read_points), ("location", wanted.locations),
        ("event_id", wanted.ids), ("reason", wanted.reasons),
    ):  # fmt: skip
        if values:
            conditions.append(f"{column} in ({marks(values)})")
            parameters += values
    for column, sign, moment in (
        ("event_time", ">=", wanted.event_since), ("event_time", "<", wanted.event_until),
        ("record_time", ">=", wanted.record_since), ("record_time", "<", wanted.record_until),
    ):  # fmt: skip
        if moment is not None:
            conditions.append(f"{column} {sign} ?")
            parameters.append(moment)
    if wanted.declared is not None:
        conditions.append("declared = ?")
        parameters.append(int(wanted.declared))
    for values, roles in (
        (wanted.epcs, ("epc",)), (wanted.any_epcs, EPC_ROLES), (wanted.classes, CLASS_ROLES),
    ):  # fmt: skip
        if values:
            conditions.append(
                f"id in (select id from epcis_named where value in ({marks(values)}) and role in ({marks(roles)}))"
            )
            parameters += [*values, *roles]
    if wanted.transactions:
        conditions.append(
            f"id in (select id from epcis_named where value in ({marks(wanted.transactions)}) "
            "and role like 'transaction:%')"
        )
        parameters += wanted.transactions
    return conditions, parameters
