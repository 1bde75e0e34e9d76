"""A source: one sender of events, with its channel, its key and its local habits."""

from __future__ import annotations

import msgspec


class Source(msgspec.Struct, frozen=True):
    """`region` (ISO 3166) reads national phone numbers; `user_id_kind` is the kind that this source's userId means.

    `shared_device` declares a till, tablet or kiosk: its anonymous and device ids are evidence for nobody.
    `event_bytes_max` bounds one event of this source, 0 for the installation's bound: a till's invoice is larger than
    a click. `mode` is what a broken contract does to an event of this source: *observe* or *quarantine*.
    """

    name: str
    channel: str
    region: str = "ES"
    user_id_kind: str = "user_id"
    shared_device: bool = False
    mode: str = "quarantine"
    enabled: bool = True
    event_bytes_max: int = 0
