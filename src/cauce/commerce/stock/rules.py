"""How full a shelf is, and when somebody should hear of it."""

from __future__ import annotations

IN, LOW, OUT = "in", "low", "out"
STATES = (IN, LOW, OUT)
STOCK_OUT, STOCK_LOW, STOCK_BACK = "Stock Ran Out", "Stock Ran Low", "Stock Came Back"


def state_of(available: int, low: int) -> str:
    """*out* when nothing can be promised, *low* at the threshold or below, else *in*."""
    if available <= 0:
        return OUT
    return LOW if available <= low else IN


def crossing(before: str, after: str) -> str:
    """The event that a change of state is, "" for none."""
    if before == after:
        return ""
    if after == OUT:
        return STOCK_OUT
    if before == OUT:
        return STOCK_BACK
    return STOCK_LOW if after == LOW else ""


def promised(free: int, pending: int, safety: int, cap: int | None = None) -> int:
    """What may still be promised: never negative, never more than the channel may see."""
    found = free - pending - safety
    if found <= 0:
        return 0
    return found if cap is None or found < cap else cap


def is_newer_count(occurred: int, amount: int, known_occurred: int, known_amount: int) -> bool:
    """Whether a count replaces the one that is known. Of two at the same instant the smaller holds."""
    return (occurred, -amount) > (known_occurred, -known_amount)
