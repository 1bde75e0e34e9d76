"""Values as text and as whole numbers, and collections whose content does not depend on the order of arrival.

Live Python and bulk SQL must agree bit for bit. So numbers are whole millionths (micros), other values are short
texts, ties are broken by the value itself, and what is bounded keeps what the value decides, never what came last.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from cauce.model import DAY

MILLION = 1_000_000
NUMBER_MAX = 10**12
"""Numbers beyond ±10**12 are not counted: their millionths would leave the 64 bits that bulk and live share."""
TEXT_CHARACTERS_MAX = 256
SAMPLE_VALUES = 64
"""Distinct values that a value sample keeps; up to here counts of values are exact."""
DAYS_KEPT_BEYOND_WINDOW = 2
"""Days a windowed trait keeps longer than its window, so that clocks that run ahead cost no day of it."""
HASH_HEXADECIMALS = 13
"""52 bits of the hash are used as a number: a double holds them exactly in every engine."""

Partial = Any
Fold = Callable[[Partial, int, Any], Partial]
Merge = Callable[[Partial, Partial], Partial]


def micros_of(value: Any) -> int | None:
    """A JSON number in millionths, rounded half up as IEEE doubles do it; None for anything else or out of range."""
    kind = type(value)
    if kind is float:
        return math.floor(value * 1e6 + 0.5) if -1e12 <= value <= 1e12 else None
    if kind is int:
        return int(value) * MILLION if -NUMBER_MAX <= value <= NUMBER_MAX else None
    return None


def number_of(micros: int) -> int | float:
    """The number of so many millionths; whole numbers as int."""
    return micros // MILLION if micros % MILLION == 0 else micros / 1e6


def text_of(value: Any) -> str | None:
    """A JSON scalar as the text by which it is compared, counted and kept; None for null, arrays, objects.

    Strings are a quotation mark and their first 256 characters; numbers are equal when their values are (4 and 4.0),
    fractions to a millionth; whole numbers may use 64 bits, other numbers lie within ±10**12.
    """
    kind = type(value)
    if kind is str:
        return f'"{value[:TEXT_CHARACTERS_MAX]}' if value.isascii() or _is_unicode(value) else None
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value) if -(2**63) <= value < 2**63 else None
    micros = micros_of(value)
    if micros is None:
        return None
    return str(micros // MILLION) if micros % MILLION == 0 else f"{micros}e-6"


def _is_unicode(text: str) -> bool:
    """False for half a surrogate pair, which JSON can write and nothing can store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def value_of(text: str) -> str | bool | int | float:
    """The value whose `text_of` this is."""
    if text[0] == '"':
        return text[1:]
    if text in ("true", "false"):
        return text == "true"
    return float(text) if text.endswith("e-6") else int(text)


@lru_cache(maxsize=65_536)
def hash_of(text: str) -> str:
    """The md5 of a text: which values a full sample keeps is left to it, because no order of arrival can sway it."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


# ── Value samples: [overflowed, texts, counts], texts sorted ──────────────────────────────────────────────────────────
# A full sample keeps the values with the smallest hashes. What was dropped once can never come back, because the kept
# hashes only become smaller; so every count in a sample is exact, however the events were cut into strands.


def fold_sample(partial: Partial, _occurred: int, text: str) -> Partial:
    """Counts one more `text`."""
    if partial is None:
        return [0, [text], [1]]
    texts, counts = partial[1], partial[2]
    place = bisect_left(texts, text)
    if place < len(texts) and texts[place] == text:
        counts[place] += 1
        return partial
    texts.insert(place, text)
    counts.insert(place, 1)
    if len(texts) > SAMPLE_VALUES:
        largest = max(range(len(texts)), key=lambda index: hash_of(texts[index]))
        del texts[largest], counts[largest]
        partial[0] = 1
    return partial


def merge_samples(one: Partial, other: Partial) -> Partial:
    """The sample of both."""
    counts = dict(zip(one[1], one[2], strict=True))
    for text, count in zip(other[1], other[2], strict=True):
        counts[text] = counts.get(text, 0) + count
    overflowed = one[0] | other[0]
    kept: Iterable[str] = counts
    if len(counts) > SAMPLE_VALUES:
        overflowed = 1
        kept = sorted(counts, key=hash_of)[:SAMPLE_VALUES]
    texts = sorted(kept)
    return [overflowed, texts, [counts[text] for text in texts]]


def most_frequent(sample: Partial) -> str:
    """The text that was counted most often, the smallest of equals; among the kept values when there were too many."""
    _, texts, counts = sample
    return str(texts[counts.index(max(counts))])


def unique_count(sample: Partial) -> int:
    """How many distinct texts there were: exact up to the sample's size, beyond it the k-minimum-values estimate.

    (k − 1) / (k-th smallest hash as a fraction of all hashes): Bar-Yossef, Jayram, Kumar, Sivakumar, Trevisan,
    *Counting distinct elements in a data stream*, RANDOM 2002. Standard error 1/√(k − 2), 13 % for k = 64.
    """
    overflowed, texts, _ = sample
    if not overflowed:
        return len(texts)
    largest = int(max(map(hash_of, texts))[:HASH_HEXADECIMALS], 16)
    return math.floor((len(texts) - 1) * float(2 ** (4 * HASH_HEXADECIMALS)) / (largest + 1) + 0.5)


# ── Latest values: [[occurred, text], …], newest first, distinct texts ────────────────────────────────────────────────


def latest_folder(limit: int) -> Fold:
    """Keeps the `limit` values that were seen last, each with the last time it was seen."""

    def fold(partial: Partial, occurred: int, text: str) -> Partial:
        if partial is None:
            return [[occurred, text]]
        for entry in partial:
            if entry[1] == text:
                if entry[0] < occurred:
                    entry[0] = occurred
                    partial.sort(reverse=True)
                return partial
        if len(partial) < limit or [occurred, text] > partial[-1]:
            partial.append([occurred, text])
            partial.sort(reverse=True)
            del partial[limit:]
        return partial

    return fold


def latest_merger(limit: int) -> Merge:
    def merge(one: Partial, other: Partial) -> Partial:
        seen = {text: occurred for occurred, text in one}
        for occurred, text in other:
            if occurred > seen.get(text, occurred - 1):
                seen[text] = occurred
        return sorted(([occurred, text] for text, occurred in seen.items()), reverse=True)[:limit]

    return merge


# ── Numbers and moments ───────────────────────────────────────────────────────────────────────────────────────────────


def fold_sum(partial: Partial, _occurred: int, value: int) -> Partial:
    return value if partial is None else partial + value


def merge_sums(one: Partial, other: Partial) -> Partial:
    return one + other


def fold_average(partial: Partial, _occurred: int, micros: int) -> Partial:
    if partial is None:
        return [micros, 1]
    partial[0] += micros
    partial[1] += 1
    return partial


def merge_averages(one: Partial, other: Partial) -> Partial:
    return [one[0] + other[0], one[1] + other[1]]


def fold_minimum(partial: Partial, _occurred: int, micros: int) -> Partial:
    return micros if partial is None or micros < partial else partial


def fold_maximum(partial: Partial, _occurred: int, micros: int) -> Partial:
    return micros if partial is None or micros > partial else partial


def fold_moment(partial: Partial, occurred: int, _value: Any) -> Partial:
    return occurred if partial is None or occurred > partial else partial


def fold_first(partial: Partial, occurred: int, text: str) -> Partial:
    if partial is None or occurred < partial[0] or (occurred == partial[0] and text < partial[1]):
        return [occurred, text]
    return partial


def fold_last(partial: Partial, occurred: int, text: str) -> Partial:
    if partial is None or occurred > partial[0] or (occurred == partial[0] and text > partial[1]):
        return [occurred, text]
    return partial


# ── Windows: [days, partials], days sorted ────────────────────────────────────────────────────────────────────────────


def windowed_folder(fold: Fold, window_days: int) -> Fold:
    """Folds into the partial of the event's own day, and forgets days that no window reaches any more."""
    kept_days = window_days + DAYS_KEPT_BEYOND_WINDOW

    def fold_day(partial: Partial, occurred: int, value: Any) -> Partial:
        day = occurred // DAY
        if partial is None:
            return [[day], [fold(None, occurred, value)]]
        days, partials = partial
        latest = days[-1]
        if day == latest:
            partials[-1] = fold(partials[-1], occurred, value)
        elif day > latest:
            days.append(day)
            partials.append(fold(None, occurred, value))
            expired = bisect_right(days, day - kept_days)
            del days[:expired], partials[:expired]
        elif day > latest - kept_days:
            place = bisect_left(days, day)
            if days[place] == day:
                partials[place] = fold(partials[place], occurred, value)
            else:
                days.insert(place, day)
                partials.insert(place, fold(None, occurred, value))
        return partial

    return fold_day


def windowed_merger(merge: Merge, window_days: int) -> Merge:
    kept_days = window_days + DAYS_KEPT_BEYOND_WINDOW

    def merge_days(one: Partial, other: Partial) -> Partial:
        partials = dict(zip(one[0], one[1], strict=True))
        for day, partial in zip(other[0], other[1], strict=True):
            partials[day] = merge(partials[day], partial) if day in partials else partial
        days = sorted(partials)
        days = days[bisect_right(days, days[-1] - kept_days) :]
        return [days, [partials[day] for day in days]]

    return merge_days


def within_window(partial: Partial, merge: Merge, window_days: int, now: int) -> Partial:
    """The sum of the days in the window that ends with the day of `now`; None when there is none."""
    today = now // DAY
    total = None
    for day, part in zip(partial[0], partial[1], strict=True):
        if today - window_days < day <= today:
            total = part if total is None else merge(total, part)
    return total
