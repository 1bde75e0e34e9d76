"""Words of the pick-up desk, as they are shown."""

from __future__ import annotations

from cauce.console.catalogues import marked

DELIVERIES = {
    "pick_up": marked("Collected in the store"),
    "reserve_in_store": marked("Reserved, paid in the store"),
    "curbside": marked("Brought to the car"),
    "order_ahead": marked("Ordered for a time"),
    "ship_to_store": marked("Sent to the store"),
    "endless_aisle": marked("Sold here, sent from elsewhere"),
    "ship": marked("Sent home"),
}
"""How an order reaches the person."""

STATES = {
    "to_pick": marked("To pick"),
    "on_way": marked("On its way"),
    "ready": marked("Ready"),
    "ended": marked("Done"),
}
KINDS = {"to_pick": "", "on_way": "river", "ready": "good", "ended": ""}
"""Colours of their badges."""

SHORT = {
    "not_found": marked("Not found"),
    "damaged": marked("Damaged"),
    "not_possible": marked("Cannot be taken now"),
}
"""Why something cannot be picked."""

PROOFS = {"code": marked("with the code"), "id": marked("with an id")}

ENDS = {
    "collected": marked("Collected"),
    "not collected in time": marked("Nobody came in time; it went back to the shelf."),
    "not collected": marked("Nobody comes; it went back to the shelf."),
    "nothing was left": marked("Nothing was left to collect."),
}
"""How a pick-up ended, where Cauce said it; what staff wrote is shown as it is."""

CONDITIONS = {
    "sellable": marked("As new: back on the shelf"),
    "damaged": marked("Damaged: kept apart"),
}
"""How goods look that came back, and where they go."""
