"""What the events of one batch say to their subjects, and how it is handed over to be folded by another runner.

A parcel holds the notes of one lane of subjects as MessagePack. What was observed for computed traits is written with
the slots of the traits that observed it, so it is read under the same definitions only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from cauce.engines.api import LANES
from cauce.profiles import strand
from cauce.profiles.computed import Group, Observed, Traits

Note = tuple[int, str, Observed]
"""What one event says to a pulse: when, in which channel, and its observations per trait."""


class Batch:
    """What the events of one batch say, by subject; nothing of it is in the tables yet."""

    __slots__ = ("notes", "timeline", "told")

    def __init__(self) -> None:
        self.notes: dict[int, list[Note]] = {}
        self.told: dict[int, list[strand.Told]] = {}
        self.timeline: list[tuple[int, int, int, int]] = []


class Parcel(msgspec.Struct, array_like=True, gc=False):
    """A lane's part of a batch; `groups` are slots of traits, which the observations of notes name by their place."""

    groups: list[tuple[int, ...]] = []
    notes: list[tuple[int, list[tuple[int, str, list[tuple[int, Any]]]]]] = []
    told: list[tuple[int, list[strand.Told]]] = []
    timeline: list[tuple[int, int, int, int]] = []


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Parcel)


def lane_of(subject: int) -> int:
    """The lane of a subject; its id is a hash, so lanes are of equal size."""
    return subject % LANES


def packed(batch: Batch) -> dict[int, bytes]:
    """The batch as one parcel for each lane that it says something to."""
    lanes: dict[int, Parcel] = {}
    places: dict[int, dict[int, int]] = {}
    for subject, notes in batch.notes.items():
        lane = lane_of(subject)
        parcel = lanes.get(lane)
        if parcel is None:
            parcel, places[lane] = lanes.setdefault(lane, Parcel()), {}
        known = places[lane]
        parcel.notes.append(
            (
                subject,
                [
                    (occurred, channel, [(_place(group, known, parcel), value) for group, value in observed])
                    for occurred, channel, observed in notes
                ],
            )
        )
    for subject, told in batch.told.items():
        lanes[lane_of(subject)].told.append((subject, told))
    for row in batch.timeline:
        lanes[lane_of(row[0])].timeline.append(row)
    return {lane: _encoder.encode(parcel) for lane, parcel in lanes.items()}


def _place(group: Group, known: dict[int, int], parcel: Parcel) -> int:
    """Where a parcel lists the slots of a group; the batch keeps its groups, so each has an `id` of its own."""
    place = known.get(id(group))
    if place is None:
        place = known[id(group)] = len(parcel.groups)
        parcel.groups.append(tuple(slot for slot, _ in group))
    return place


def unpacked(bodies: Iterable[bytes], traits: Traits) -> Batch:
    """What several parcels say together; `traits` are those under which they were packed."""
    batch = Batch()
    for body in bodies:
        parcel = _decoder.decode(body)
        groups = [traits.group(slots) for slots in parcel.groups]
        for subject, notes in parcel.notes:
            batch.notes.setdefault(subject, []).extend(
                (occurred, channel, [(groups[place], value) for place, value in observed])
                for occurred, channel, observed in notes
            )
        for subject, told in parcel.told:
            batch.told.setdefault(subject, []).extend(told)
        batch.timeline += parcel.timeline
    return batch
