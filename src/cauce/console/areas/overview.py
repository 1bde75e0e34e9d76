"""The overview: what flows, what became of it, and whether the count adds up."""

from __future__ import annotations

from cauce.console.frame import Answer, Area, Page, marked
from cauce.console.visit import Visit

NAME = "overview"


def overview(visit: Visit) -> Answer:
    return {}


AREA = Area(
    title=marked("Overview"),
    home="/overview",
    permission="status.read",
    icon="river",
    place=10,
    pages=(Page("/overview", overview, "overview/overview.html"),),
)
