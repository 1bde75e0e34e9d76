"""All commands of orders."""

from __future__ import annotations

from cauce.commerce.orders import changing, erasing, outside, paying, placing
from cauce.commerce.transact.carrier import Action

ACTIONS: tuple[Action, ...] = (
    *placing.ACTIONS,
    *changing.ACTIONS,
    *paying.ACTIONS,
    *outside.ACTIONS,
    *erasing.ACTIONS,
)
