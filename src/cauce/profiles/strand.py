"""A strand: everything learnt through one subject, as a fold that does not care about order.

Two parts, because what is written at every event must be small:

* the *pulse*, written at each event: `[first occurred, last occurred, events, {channel: events}, [partial per slot]]`;
* the *ledger*, written when traits or consents are told: `[{trait: {source: register}}, {purpose␟channel: words}]`.

A register of a trait and source is `[occurred, event id, text, tombstone, {text: [count, occurred, event id]}]`:
the latest word (text None: a deletion), the latest deletion `[occurred, event id]` or None, and a sample of values.
Values are canonical JSON texts. Both parts add up: `merge_pulses`, `merge_ledgers`; None is the empty strand.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cauce.model import Event
from cauce.profiles import consent, rules
from cauce.profiles.computed import Observed, Traits

Pulse = list[Any]
Ledger = list[Any]
Register = list[Any]

REGISTER_VALUES = 32
"""Distinct values a register samples per trait and source: those with the smallest hashes, plus always the latest."""
TRAITS_MAX = 1_000
"""Distinct traits of one subject: those whose names have the smallest hashes; names come from outside."""
CHANNELS_MAX = 64

_BIG_INTEGER = 1
_plain_encoder = msgspec.msgpack.Encoder()
_sorted_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(ext_hook=lambda _code, data: int.from_bytes(data, "big", signed=True))
_json = msgspec.json.Encoder(order="deterministic")


class Told(msgspec.Struct, frozen=True, gc=False):
    """What one event says to the ledger of its subject: traits as (name, canonical JSON or None), and consents."""

    occurred: int
    source: str
    event: str
    traits: tuple[tuple[str, str | None], ...]
    consents: tuple[tuple[str, list[Any]], ...]


# ── The pulse ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def fold_pulse(pulse: Pulse | None, occurred: int, channel: str, observed: Observed, slots: int) -> Pulse:
    """The pulse with one more event; `slots` is how many partials the installation's traits need."""
    if pulse is None:
        pulse = [occurred, occurred, 1, {channel: 1}, []]
    else:
        if occurred < pulse[0]:
            pulse[0] = occurred
        elif occurred > pulse[1]:
            pulse[1] = occurred
        pulse[2] += 1
        channels = pulse[3]
        if channel in channels:
            channels[channel] += 1
        else:
            channels[channel] = 1
            pulse[3] = _bounded(dict(sorted(channels.items())), CHANNELS_MAX)
    if observed:
        fold_partials(pulse, occurred, observed, slots)
    return pulse


def fold_partials(pulse: Pulse, occurred: int, observed: Observed, slots: int) -> None:
    """Folds what an event says to computed traits, and nothing else: the way a new trait learns from history."""
    partials = pulse[4]
    if len(partials) < slots:
        partials.extend([None] * (slots - len(partials)))
    for group, value in observed:
        for slot, fold in group:
            partials[slot] = fold(partials[slot], occurred, value)


def merge_pulses(one: Pulse | None, other: Pulse | None, traits: Traits) -> Pulse | None:
    """The pulse of both; neither is changed, but parts may be shared with the result."""
    if one is None or other is None:
        return one if other is None else other
    channels = dict(one[3])
    for channel, count in other[3].items():
        channels[channel] = channels.get(channel, 0) + count
    partials: list[Any] = [None] * traits.slots
    for trait in traits:
        mine, theirs = partial_of(one, trait.slot), partial_of(other, trait.slot)
        partials[trait.slot] = theirs if mine is None else mine if theirs is None else trait.merge(mine, theirs)
    return [
        min(one[0], other[0]),
        max(one[1], other[1]),
        one[2] + other[2],
        _bounded(dict(sorted(channels.items())), CHANNELS_MAX),
        trimmed(partials),
    ]


def partial_of(pulse: Pulse, slot: int) -> Any:
    """The partial in a slot, None when there is none."""
    partials = pulse[4]
    return partials[slot] if slot < len(partials) else None


def trimmed(partials: list[Any]) -> list[Any]:
    """Without the empty slots at the end, so that equal strands are equal bytes."""
    while partials and partials[-1] is None:
        partials.pop()
    return partials


def encode_pulse(pulse: Pulse) -> bytes:
    """Canonical bytes of a pulse."""
    trimmed(pulse[4])
    try:
        return _plain_encoder.encode(pulse)
    except OverflowError:
        return _plain_encoder.encode(_with_big_integers(pulse))


def decode(body: bytes) -> Any:
    """A pulse or ledger from its bytes."""
    return _decoder.decode(body)


def _with_big_integers(value: Any) -> Any:
    """Sums beyond 64 bits as an extension type; rare, so nobody else pays for them."""
    if isinstance(value, list):
        return [_with_big_integers(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return msgspec.msgpack.Ext(_BIG_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
    return value


# ── The ledger ────────────────────────────────────────────────────────────────────────────────────────────────────────


def told_by(event: Event) -> Told | None:
    """What an event says to its subject's ledger; None when it says nothing."""
    if not event.traits and event.name not in consent.NAMES:
        return None
    consents = tuple(consent.words_of(event))
    traits = tuple(
        (name, None if value is None else canonical(value))
        for name, value in event.traits.items()
        if not name.startswith(consent.PREFIX)
    )
    if not traits and not consents:
        return None
    # What cannot be encoded must fail here, where it can still be told apart from the rest of its batch.
    "".join((event.id, *(name for name, _ in traits), *(key + word[-1] for key, word in consents))).encode()
    return Told(event.occurred, event.source, event.id, traits, consents)


def canonical(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces."""
    return _json.encode(value).decode()


def fold_ledger(ledger: Ledger | None, told: Told) -> Ledger:
    """The ledger with what one more event says."""
    if ledger is None:
        ledger = [{}, {}]
    traits, consents = ledger
    for name, text in told.traits:
        sources = traits.get(name)
        if sources is None:
            sources = traits[name] = {}
        sources[told.source] = _fold_register(sources.get(told.source), told.occurred, told.event, text)
    for key, word in told.consents:
        consents[key] = consent.fold_word(consents.get(key), word)
    if len(traits) > TRAITS_MAX or len(consents) > consent.CONSENTS_MAX:
        return [_bounded(traits, TRAITS_MAX), _bounded(consents, consent.CONSENTS_MAX)]
    return ledger


def merge_ledgers(one: Ledger | None, other: Ledger | None) -> Ledger | None:
    """The ledger of both; neither is changed, but parts may be shared with the result."""
    if one is None or other is None:
        return one if other is None else other
    traits = {name: dict(sources) for name, sources in one[0].items()}
    for name, sources in other[0].items():
        mine = traits.setdefault(name, {})
        for source, register in sources.items():
            mine[source] = merge_registers(mine[source], register) if source in mine else register
    consents = dict(one[1])
    for key, history in other[1].items():
        consents[key] = consent.merge_histories(consents[key], history) if key in consents else history
    return [_bounded(traits, TRAITS_MAX), _bounded(consents, consent.CONSENTS_MAX)]


def encode_ledger(ledger: Ledger) -> bytes:
    """Canonical bytes of a ledger."""
    return _sorted_encoder.encode(ledger)


def _fold_register(register: Register | None, occurred: int, event: str, text: str | None) -> Register:
    if register is None:
        if text is None:
            return [occurred, event, None, [occurred, event], {}]
        return [occurred, event, text, None, {text: [1, occurred, event]}]
    if (occurred, event, text or "") > (register[0], register[1], register[2] or ""):
        register[0], register[1], register[2] = occurred, event, text
    if text is None:
        if register[3] is None or [occurred, event] > register[3]:
            register[3] = [occurred, event]
        return register
    values = register[4]
    entry = values.get(text)
    if entry is None:
        values[text] = [1, occurred, event]
        register[4] = _bounded(values, REGISTER_VALUES)
    else:
        entry[0] += 1
        entry[1], entry[2] = max((entry[1], entry[2]), (occurred, event))
    return register


def merge_registers(one: Register, other: Register) -> Register:
    """The register of both; neither is changed."""
    latest = max(one, other, key=lambda register: (register[0], register[1], register[2] or ""))
    tombstones = [tombstone for tombstone in (one[3], other[3]) if tombstone is not None]
    values = {text: list(entry) for text, entry in one[4].items()}
    for text, (count, occurred, event) in other[4].items():
        entry = values.get(text)
        if entry is None:
            values[text] = [count, occurred, event]
        else:
            values[text] = [entry[0] + count, *max((entry[1], entry[2]), (occurred, event))]
    return [*latest[:3], max(tombstones, default=None), _bounded(values, REGISTER_VALUES)]


def _bounded(entries: dict[str, Any], most: int) -> dict[str, Any]:
    """At most so many entries: those whose keys have the smallest hashes, whatever came first."""
    if len(entries) <= most:
        return entries
    return {key: entries[key] for key in sorted(sorted(entries, key=rules.hash_of)[:most])}
