"""All commands of stock but reservations."""

from __future__ import annotations

from cauce.commerce.stock import counting, hooks, keeping, limits, moving, supply
from cauce.commerce.transact.carrier import Action

ACTIONS: tuple[Action, ...] = (
    *keeping.ACTIONS,
    *moving.ACTIONS,
    *counting.ACTIONS,
    *limits.ACTIONS,
    *supply.ACTIONS,
    *hooks.ACTIONS,
)
