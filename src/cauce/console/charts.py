"""Charts that the server draws as SVG: columns over time, lines, bars, sparks.

They need no script and no style of their own, only classes, because the content security policy allows no other; a
script that is there anyway shows what a part says (`data-tip`). Every chart is followed by its numbers as a table, or
stands in a list that says them, so nobody has to see it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor, log10

import msgspec
from markupsafe import Markup, escape

from cauce.console.words import Words

COLORS = 10
CHANNELS = ("web", "pos", "app", "call_center", "email", "whatsapp", "store", "crm", "social", "survey")
WIDTH, HEIGHT = 960, 260
NARROW_WIDTH, NARROW_HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 4, 10, 24
LABEL_PIXELS = 74
SEGMENTS_MAX = 8


class Series(msgspec.Struct, frozen=True):
    """Numbers of one name, as many as the chart has places; `color` is 0–9."""

    name: str
    color: int
    values: Sequence[float | None]


def color_of(channel: str) -> int:
    """The color number of a channel: the same on every page."""
    return CHANNELS.index(channel) if channel in CHANNELS else sum(channel.encode()) % COLORS


def columns(labels: Sequence[str], series: Sequence[Series], words: Words, title: str) -> Markup:
    """Columns side by side, in each the series stacked; `labels` name the columns from left to right."""
    highest = max((sum(one.values[at] or 0 for one in series) for at in range(len(labels))), default=0)
    return _both(_Drawn(labels, series, words, highest, _stacked), title)


def lines(labels: Sequence[str], series: Sequence[Series], words: Words, title: str) -> Markup:
    """A line per series over common places; a number that is missing (None) is left out."""
    highest = max((value for one in series for value in one.values if value is not None), default=0)
    return _both(_Drawn(labels, series, words, highest, _lines), title)


def bars(rows: Sequence[tuple[str, int, Sequence[tuple[str, float]]]], words: Words) -> list[Markup]:
    """A bar per row (name, color, parts), its parts side by side and paler each; the longest takes all the width."""
    widest = max((sum(value for _, value in parts) for _, _, parts in rows), default=0) or 1
    return [_bar(parts, color, widest, words) for _, color, parts in rows]


def spark(values: Sequence[float], color: int = 0) -> Markup:
    """A little line without axes, decoration beside a number that says the same."""
    if len(values) < 2:
        return Markup('<svg class="spark" viewBox="0 0 100 24" aria-hidden="true"></svg>')
    top = max(values) or 1
    step = 100 / (len(values) - 1)
    points = [f"{at * step:.1f} {22 - 20 * value / top:.1f}" for at, value in enumerate(values)]
    drawn = "L".join(points)
    return Markup(  # noqa: S704 - numbers only
        f'<svg class="spark c{color}" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="area" d="M0 24L{drawn}L100 24z"/><path d="M{drawn}"/></svg>'
    )


def ticks(highest: float, count: int = 4) -> list[float]:
    """Round numbers from 0 to at least `highest`, about so many."""
    if highest <= 0:
        return [0.0, 1.0]
    raw = highest / count
    scale = 10.0 ** floor(log10(raw))
    step = next(factor * scale for factor in (1, 2, 2.5, 5, 10) if factor * scale >= raw)
    if highest >= 1 and step < 1:
        step = 1.0
    found = [0.0]
    while found[-1] < highest - 1e-9:
        found.append(found[-1] + step)
    return found


class _Plot(msgspec.Struct, frozen=True):
    """Where things stand in a drawing: `bottom` is the line of zero, `scale` pixels per unit."""

    width: int
    height: int
    step: float
    scale: float
    bottom: float

    def y(self, value: float) -> float:
        return self.bottom - value * self.scale


class _Drawn(msgspec.Struct, frozen=True):
    """What a chart shows, up to which number, and how its middle is drawn."""

    labels: Sequence[str]
    series: Sequence[Series]
    words: Words
    highest: float
    middle: Callable[[_Plot, _Drawn], list[str]]


def _both(drawn: _Drawn, title: str) -> Markup:
    """The chart twice, for wide and for narrow screens: text keeps its size that way."""
    wide, narrow = (
        _drawing(drawn, WIDTH, HEIGHT, "wide-only"),
        _drawing(drawn, NARROW_WIDTH, NARROW_HEIGHT, "narrow-only"),
    )
    return Markup('<div class="chart" role="img" aria-label="{}">{}{}</div>').format(title, wide, narrow)


def _drawing(drawn: _Drawn, width: int, height: int, shown: str) -> Markup:
    marks = ticks(drawn.highest)
    bottom = height - BOTTOM
    step = (width - LEFT - RIGHT) / max(len(drawn.labels), 1)
    plot = _Plot(width, height, step, (bottom - TOP) / marks[-1], bottom)
    parts = [
        f'<svg class="{shown}" viewBox="0 0 {width} {height}" aria-hidden="true" focusable="false">',
        *(_mark(plot, mark, drawn.words) for mark in marks),
        *drawn.middle(plot, drawn),
        *_labels(plot, drawn.labels),
        "</svg>",
    ]
    return Markup("".join(parts))  # noqa: S704 - every text is escaped where it is put in


def _mark(plot: _Plot, mark: float, words: Words) -> str:
    y = plot.y(mark)
    kind = "base" if mark == 0 else "grid-line"
    return (
        f'<line class="{kind}" x1="{LEFT}" x2="{plot.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="end" x="{LEFT - 8}" y="{y + 4:.1f}">{escape(words.short_number(mark))}</text>'
    )


def _labels(plot: _Plot, labels: Sequence[str]) -> list[str]:
    """As many labels as there is room for, the last one always."""
    every = max(1, -(-LABEL_PIXELS * len(labels) // (plot.width - LEFT - RIGHT)))
    last = len(labels) - 1
    found = []
    for at, label in enumerate(labels):
        if (last - at) % every:
            continue
        x = LEFT + (at + 0.5) * plot.step
        kind = "middle"
        if at == last and len(labels) > 1 and plot.step < LABEL_PIXELS:
            x, kind = plot.width - RIGHT, "end"
        elif x < LEFT + LABEL_PIXELS / 3:
            kind = "start"
        found.append(f'<text class="{kind}" x="{x:.1f}" y="{plot.height - 6}">{escape(label)}</text>')
    return found


def _tip(drawn: _Drawn, at: int) -> Markup:
    said = [f"{one.name}: {drawn.words.number(value)}" for one in drawn.series if (value := one.values[at])]
    return escape("\n".join([drawn.labels[at], *said]))


def _column(plot: _Plot, drawn: _Drawn, at: int) -> str:
    """The beginning of the group that says, wherever it is pointed at, what stands at a place."""
    return (
        f'<g class="column" data-tip="{_tip(drawn, at)}"><rect class="back" x="{LEFT + at * plot.step:.2f}" '
        f'y="{TOP}" width="{plot.step:.2f}" height="{plot.bottom - TOP:.1f}"/>'
    )


def _stacked(plot: _Plot, drawn: _Drawn) -> list[str]:
    gap = min(plot.step * 0.22, 9)
    found = []
    for at in range(len(drawn.labels)):
        x = LEFT + at * plot.step + gap / 2
        found.append(_column(plot, drawn, at))
        base = 0.0
        for one in drawn.series:
            value = one.values[at] or 0
            if value > 0:
                top = plot.y(base + value)
                found.append(
                    f'<rect class="part c{one.color}" x="{x:.2f}" y="{top:.2f}" width="{plot.step - gap:.2f}" '
                    f'height="{max(plot.y(base) - top, 0.5):.2f}"/>'
                )
                base += value
        found.append("</g>")
    return found


def _lines(plot: _Plot, drawn: _Drawn) -> list[str]:
    found = []
    for one in drawn.series:
        points = [
            f"{LEFT + (at + 0.5) * plot.step:.1f} {plot.y(value):.1f}"
            for at, value in enumerate(one.values)
            if value is not None
        ]
        if points:
            found.append(f'<path class="line c{one.color}" d="M{"L".join(points)}"/>')
    found += [_column(plot, drawn, at) + "</g>" for at in range(len(drawn.labels))]
    return found


def _bar(parts: Sequence[tuple[str, float]], color: int, widest: float, words: Words) -> Markup:
    shown = list(parts[:SEGMENTS_MAX])
    rest = sum(value for _, value in parts[SEGMENTS_MAX:])
    if rest:
        shown.append(("…", rest))
    pieces, at = [], 0.0
    for rank, (name, value) in enumerate(shown):
        width = 100 * value / widest
        pieces.append(
            f'<rect x="{at:.3f}" y="0" width="{max(width - 0.15, 0.15):.3f}" height="10" '
            f'fill-opacity="{max(0.35, 1 - 0.11 * rank):.2f}" data-tip="{escape(name)}: {words.number(value)}"/>'
        )
        at += width
    return Markup(  # noqa: S704 - every text is escaped above
        f'<svg class="bar c{color}" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(pieces)}</svg>"
    )
