"""What the pages draw: bars of events by channel, and arcs between the identifiers of a person.

No style stands in the drawings, only classes: the content security policy allows no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from cauce.http.pages.words import Words

COLORS = 10
SEGMENTS_MAX = 8
ROW_PIXELS = 44
ARC_PIXELS = 84
NODES_MAX = 24
CHANNELS = ("web", "pos", "app", "call_center", "email", "whatsapp", "store", "crm", "social", "survey")


def color_of(channel: str) -> int:
    """The color number of a channel: the same on every page."""
    return CHANNELS.index(channel) if channel in CHANNELS else sum(channel.encode()) % COLORS


def bars(names: Sequence[tuple[str, str, int]], words: Words) -> list[dict[str, Any]]:
    """Stored events by channel, most first, each with a drawing that has a segment per event name.

    `names` are (channel, name, count); the smaller names of a channel share the last segment.
    """
    channels: dict[str, list[tuple[int, str]]] = {}
    for channel, name, count in names:
        channels.setdefault(channel, []).append((count, name))
    totals = {channel: sum(count for count, _ in found) for channel, found in channels.items()}
    widest = max(totals.values(), default=1)
    rows = []
    for channel in sorted(channels, key=lambda one: (-totals[one], one)):
        found = sorted(channels[channel], key=lambda pair: (-pair[0], pair[1]))
        rest = sum(count for count, _ in found[SEGMENTS_MAX:])
        shown = found[:SEGMENTS_MAX] + ([(rest, "…")] if rest else [])
        rows.append(
            {
                "name": words.channel(channel),
                "color": color_of(channel),
                "count": totals[channel],
                "top": ", ".join(name for _, name in found[:3]),
                "drawing": _bar(shown, widest, words),
            }
        )
    return rows


def _bar(segments: Sequence[tuple[int, str]], widest: int, words: Words) -> Markup:
    pieces = []
    at = 0.0
    for rank, (count, name) in enumerate(segments):
        width = 100 * count / widest
        pieces.append(
            f'<rect x="{at:.3f}" y="0" width="{max(width - 0.15, 0.15):.3f}" height="10" '
            f'fill-opacity="{max(0.35, 1 - 0.11 * rank):.2f}"><title>{escape(name)}: {words.number(count)}</title>'
            "</rect>"
        )
        at += width
    return Markup(  # noqa: S704 - every text is escaped above
        f'<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{"".join(pieces)}</svg>'
    )


def arcs(identifiers: Sequence[Any], links: Sequence[Any]) -> Markup:
    """Arcs between rows of identifiers: thick where the evidence was seen often, dashed where it does not join.

    One row per identifier, `ROW_PIXELS` high, to stand left of a list with rows of the same height.
    """
    rows = {str(member): index for index, member in enumerate(identifiers[:NODES_MAX])}
    right, height = ARC_PIXELS - 8, ROW_PIXELS * len(rows)
    drawn = []
    for link in links:
        if link.a in rows and link.b in rows:
            top, bottom = sorted((rows[link.a], rows[link.b]))
            y1, y2 = (ROW_PIXELS * row + ROW_PIXELS / 2 for row in (top, bottom))
            depth = min(right - 4, 14 + 9 * (bottom - top))
            kind = "joined" if link.joined else "apart"
            drawn.append(
                f'<path class="{kind}" d="M{right} {y1:.0f}C{right - depth * 4 / 3:.0f} {y1:.0f} '
                f'{right - depth * 4 / 3:.0f} {y2:.0f} {right} {y2:.0f}" '
                f'stroke-width="{1 + min(link.support, 4) * 0.75:.2f}"/>'
            )
    dots = "".join(
        f'<circle class="{"shared" if member.shared else "own"}" cx="{right}" '
        f'cy="{ROW_PIXELS * row + ROW_PIXELS / 2:.0f}" r="5.5"/>'
        for row, member in enumerate(identifiers[:NODES_MAX])
    )
    return Markup(  # noqa: S704 - numbers and our own words only
        f'<svg class="arcs" width="{ARC_PIXELS}" height="{height}" viewBox="0 0 {ARC_PIXELS} {height}" '
        f'aria-hidden="true">{"".join(drawn)}{dots}</svg>'
    )
