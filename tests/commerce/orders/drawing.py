"""Draws the states and tables of docs/howto/orders.md: `python -m tests.commerce.orders.drawing` writes them."""

from __future__ import annotations

import re
from pathlib import Path

from cauce.commerce.orders.rules import DELIVERIES, STATES, TRANSITIONS

PAGE = Path(__file__).resolve().parents[3] / "docs/howto/orders.md"
STOCK = {
    "hold": "promises it",
    "leave": "leaves it",
    "free": "can be sold again",
    "": "–",
}


def states() -> str:
    """A state diagram in Mermaid, made from the table of transitions."""
    arrows = [f"    {one.was} --> {one.to}" for one in TRANSITIONS]
    ends = [f"    {state} --> [*]" for state in STATES if state not in {one.was for one in TRANSITIONS}]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> placed", *arrows, *ends, "```"])


def transitions() -> str:
    rows = [f"| `{one.was}` | `{one.to}` | {STOCK[one.stock]} | {one.meaning} |" for one in TRANSITIONS]
    return "\n".join(["| from | to | the stock | when |", "|---|---|---|---|", *rows])


def meanings() -> str:
    return "\n".join(["| state | meaning |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in STATES.items())])


def deliveries() -> str:
    rows = [
        f"| `{name}` | {one.meaning} | {'yes' if one.pays_first else 'no'} | {_span(one.seconds)} |"
        for name, one in DELIVERIES.items()
    ]
    return "\n".join(
        ["| kind | how the goods come | waits for a payment | held meanwhile |", "|---|---|---|---|", *rows]
    )


def _span(seconds: int) -> str:
    if not seconds:
        return "without end"
    return f"{seconds // 86_400} days" if seconds >= 86_400 else f"{seconds // 60} minutes"


DRAWINGS = {"states": states, "transitions": transitions, "meanings": meanings, "deliveries": deliveries}


def drawn(text: str) -> str:
    """A page with its drawings as they are now."""
    for name, draw in DRAWINGS.items():
        pattern = rf"(<!-- drawn: {name} -->\n).*?(<!-- end -->)"
        assert re.search(pattern, text, re.S), f"the page has no place for {name}"
        text = re.sub(pattern, lambda match, draw=draw: f"{match[1]}\n{draw()}\n\n{match[2]}", text, flags=re.S)
    return text


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
