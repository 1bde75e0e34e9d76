"""The way onto the guided path."""

from __future__ import annotations

from cauce.console.frame import Answer, Area, Led, Page, marked
from cauce.console.guide import FIELD, prepare, stops_of
from cauce.console.visit import Visit

NAME = "guide"


def begin(visit: Visit) -> Answer:
    """Leads to the first stop; where nothing may be seen there is no path."""
    prepare(visit)
    stops = stops_of(visit)
    return Led(f"{stops[0].address(visit)}?{FIELD}=1") if stops else Led("/")


AREA = Area(
    title=marked("Guided path"),
    home="/guide",
    icon="help",
    pages=(Page("/guide", begin),),
)
