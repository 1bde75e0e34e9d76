"""How a JSON body becomes items, whatever is wrong with one of them; shared by the connectors that speak JSON.

The fast way decodes the whole body at once. When that fails, or the body may hold something that no later stage could
store (an integer beyond 64 bits, a NUL, 257 levels of nesting), the slow way cuts the body into its items without
decoding them, so that one bad item spoils only itself.
"""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import zstandard

from cauce.errors import TooLarge, Unreadable
from cauce.model import Fate, Reason, Received, Record, Source, position_of
from cauce.model.log import INDEX_BITS

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
BODY_BYTES_MAX = 2**28
"""Bound of one decompressed body in the log; the door's own bound is lower."""
NESTING_LEVELS_MAX = 256
ITEMS_MAX = 2**INDEX_BITS
FOUND_CHARACTERS_MAX = 200
FATES = frozenset(fate.value for fate in Fate)
ERASED_KEYS = frozenset(("_erased", "_seal", "messageId"))
"""What is left of an item when its person was erased (`cauce.events.erasure`)."""

_decode = msgspec.json.Decoder().decode
_DIGITS_AS_ZERO = bytes(0x30 if 0x30 <= byte < 0x3A else byte for byte in range(256))
_LONG_NUMBER = b"0" * 19
_BEFORE_NUMBERS = frozenset(b" \t\r\n:,[-")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_USUAL_LEVELS = 16
_TOKEN = re.compile(
    rb'[ \t\r\n]*(?:("[^"\\]*(?:\\.[^"\\]*)*")|([\[\]{},:])'
    rb"|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null|NaN|-?Infinity)(?![0-9A-Za-z.]))",
    re.DOTALL,
)
_BLANK = re.compile(rb"[ \t\r\n]*")


class _Tools(threading.local):
    """Each thread's own decompressor: making one costs more than reading a small body with it."""

    def __init__(self) -> None:
        self.zstd = zstandard.ZstdDecompressor()


_tools = _Tools()


class Unusable(NamedTuple):
    """An item that is JSON in shape but cannot be taken in; `text` is it as sent."""

    text: str
    reason: Reason


class Opened(NamedTuple):
    """A body's items in order (decoded, or `Unusable`), and what its envelope says about all of them."""

    envelope: dict[str, Any]
    items: list[Any]
    bytes_max: int = 0
    """Bytes of the whole body: no item is larger."""


def open_body(body: bytes, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """The body without its compression, which is known by its first bytes.

    Unreadable when it is broken off or damaged, TooLarge when it would be longer than `bytes_max`; never more than that
    is unpacked.
    """
    if body.startswith(GZIP_MAGIC):
        return _gunzip(body, bytes_max)
    plain = _unzstd(body, bytes_max) if body.startswith(ZSTD_MAGIC) else body
    if len(plain) > bytes_max:
        raise TooLarge(f"the body has more than {bytes_max} bytes after decompression")
    return plain


def _gunzip(body: bytes, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    left = bytes_max + 1
    rest = body
    while rest and left > 0:
        inflater = zlib.decompressobj(31)
        try:
            part = inflater.decompress(rest, left)
        except zlib.error as fault:
            raise Unreadable(f"the body is no complete gzip stream: {fault}") from None
        parts.append(part)
        left -= len(part)
        if left > 0 and not inflater.eof:
            raise Unreadable("the body is no complete gzip stream: it is broken off", hint="Send it again")
        rest = inflater.unused_data.lstrip(b"\0")
    if left <= 0:
        raise TooLarge(f"the body has more than {bytes_max} bytes after decompression")
    return b"".join(parts)


def _unzstd(body: bytes, bytes_max: int) -> bytes:
    try:
        length = zstandard.frame_content_size(body)
        if 0 <= length <= bytes_max:
            return _tools.zstd.decompress(body)
        parts: list[bytes] = []
        left = bytes_max + 1
        with zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(body) as reader:
            while left > 0 and (part := reader.read(min(left, 2**18))):
                parts.append(part)
                left -= len(part)
    except zstandard.ZstdError as fault:
        raise Unreadable(f"the body is no complete zstd stream: {fault}") from None
    return b"".join(parts)


def read_body(record: Record) -> Opened:
    """Items of a record's body; never raises: a body that cannot be read at all is one `Unusable` item."""
    try:
        body = open_body(record.body)
        opened = read_items(body)._replace(bytes_max=len(body))
    except (Unreadable, TooLarge) as fault:
        text = record.body[: 2**16].decode("utf-8", "backslashreplace")
        return Opened({}, [Unusable(text, Reason("unreadable", "", "a JSON document", _short(fault.message)))])
    if len(opened.items) <= ITEMS_MAX:
        return opened
    rest = msgspec.json.encode([getattr(item, "text", item) for item in opened.items[ITEMS_MAX - 1 :]]).decode()
    reason = Reason("too_many_items", "", f"at most {ITEMS_MAX} items", str(len(opened.items)))
    return Opened(opened.envelope, [*opened.items[: ITEMS_MAX - 1], Unusable(rest, reason)])


def read_items(body: bytes) -> Opened:
    """Items of a JSON body: of its list `batch`, of the list that it is, or the one that it is.

    Unreadable when it is not JSON in shape. An item that cannot be taken in is `Unusable`.
    """
    try:
        document = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _cut(body)
    opened = _opened(document)
    if _is_suspicious(body) and any(_fault_of(value, NESTING_LEVELS_MAX) for value in _all_values(opened)):
        return _cut(body)
    return opened


def _opened(document: Any) -> Opened:
    if document.__class__ is dict:
        batch = document.get("batch")
        if batch.__class__ is list:
            return Opened(document, batch)
        return Opened({}, [document])
    return Opened({}, document if document.__class__ is list else [document])


def _all_values(opened: Opened) -> Iterator[Any]:
    yield from opened.items
    yield from (value for key, value in opened.envelope.items() if key != "batch")


def _is_suspicious(body: bytes) -> bool:
    """Whether the body may hold what `_fault_of` looks for; mostly False, and much cheaper.

    Brackets in texts may make it wrong in both directions: too careful costs a little time, too careless leaves a call
    that no stage can store to the runner, which quarantines it.
    """
    if _has_long_integer(body):
        return True
    if b"\\" in body and b"\\u0000" in body:
        return True
    brackets = body.translate(None, _NO_BRACKETS)
    for _ in range(_USUAL_LEVELS):  # each round takes the innermost level away
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if not brackets:
            return False
    return True


def _has_long_integer(body: bytes) -> bool:
    """Whether 19 digits stand together where a number may begin, not inside a hexadecimal text."""
    flags = body.translate(_DIGITS_AS_ZERO)
    at = flags.find(_LONG_NUMBER)
    while at >= 0:
        if at == 0 or body[at - 1] in _BEFORE_NUMBERS:
            return True
        while flags[at : at + 1] == b"0":
            at += 1
        at = flags.find(_LONG_NUMBER, at)
    return False


def _fault_of(value: Any, levels_left: int) -> Reason | None:
    """What makes a decoded value impossible to store, None when nothing does."""
    kind = value.__class__
    if kind is str:
        return Reason("nul_character", "", "text without NUL", _short(value)) if "\0" in value else None
    if kind is int:
        fits = -(2**63) <= value < 2**63
        return None if fits else Reason("number_out_of_range", "", "an integer of 64 bits", _short(str(value)))
    if kind is not dict and kind is not list:
        return None
    if levels_left == 0:
        return Reason("nesting_too_deep", "", f"at most {NESTING_LEVELS_MAX} levels", "more")
    parts = (*value, *value.values()) if kind is dict else value
    for part in parts:
        fault = _fault_of(part, levels_left - 1)
        if fault is not None:
            return fault
    return None


# -- the slow way ---------------------------------------------------------------------------------------------------


def _cut(body: bytes) -> Opened:
    spans, members = _spans(body)
    said = {span.key: _item(body[span.start : span.end]) for span in members}
    return Opened(
        {key: value for key, value in said.items() if value.__class__ is not Unusable},
        [_item(body[span.start : span.end]) for span in spans],
    )


def _item(text: bytes) -> Any:
    try:
        value = _decode(text)
        reason = _fault_of(value, NESTING_LEVELS_MAX)
    except RecursionError:
        reason = Reason("nesting_too_deep", "", f"at most {NESTING_LEVELS_MAX} levels", "more")
    except UnicodeDecodeError as fault:
        reason = Reason("invalid_utf8", "", "UTF-8", fault.reason)
    except msgspec.MsgspecError as fault:
        reason = _reason_for(text, str(fault))
    return value if reason is None else Unusable(text.decode("utf-8", "backslashreplace"), reason)


def _reason_for(text: bytes, message: str) -> Reason:
    if "out of range" in message:
        return Reason("number_out_of_range", "", "a number of 64 bits", _short(message))
    if re.search(rb"\\u[dD][89a-fA-F]", text):
        return Reason("lone_surrogate", "", "text of whole characters", _short(message))
    if re.search(rb"NaN|Infinity", text):
        return Reason("not_a_number", "", "numbers that JSON knows", _short(message))
    return Reason("unreadable", "", "JSON", _short(message))


class _Shape:
    """What a JSON text must go on with, kept while its tokens go by; knows no recursion."""

    def __init__(self) -> None:
        self.open = bytearray()
        self.next = "value"

    def take(self, text: bytes, punctuation: bytes | None) -> bool:
        """Whether this token may stand here; steps on."""
        if punctuation is None:
            return self._scalar(text.startswith(b'"'))
        if punctuation in b"{[":
            fits = self.next in ("value", "value or ]")
            self.open += punctuation
            self.next = "key or }" if punctuation == b"{" else "value or ]"
            return fits
        if punctuation in b"}]":
            return self._close(punctuation)
        if punctuation == b":":
            fits, self.next = self.next == ":", "value"
            return fits
        fits = self.next == "," and bool(self.open)
        self.next = "key" if self.open[-1:] == b"{" else "value"
        return fits

    def _scalar(self, is_text: bool) -> bool:
        if self.next in ("key", "key or }"):
            self.next = ":"
            return is_text
        fits = self.next in ("value", "value or ]")
        self.next = ","
        return fits

    def _close(self, punctuation: bytes) -> bool:
        opening, empty = (b"{", "key or }") if punctuation == b"}" else (b"[", "value or ]")
        fits = self.open[-1:] == opening and self.next in (",", empty)
        del self.open[-1:]
        self.next = ","
        return fits


class Span(NamedTuple):
    """Where a complete value stands: inside which containers (`{[`: in a list in an object), under which top key."""

    inside: bytes
    key: str
    start: int
    end: int


def _values(body: bytes) -> Iterator[Span]:
    """Values inside at most two containers, each when it is complete, the whole document last; grammar is checked."""
    shape = _Shape()
    starts: list[int] = []
    key, at = "", 0
    while found := _TOKEN.match(body, at):
        at = found.end()
        start = found.start(found.lastindex or 0)
        punctuation = found[2]
        is_key = punctuation is None and shape.next in ("key", "key or }")
        if not shape.take(found[found.lastindex or 0], punctuation):
            raise _not_json(start)
        if is_key and len(shape.open) == 1:
            key = body[start + 1 : at - 1].decode("utf-8", "replace")
        if is_key or punctuation in (b",", b":"):
            continue
        if punctuation in (b"{", b"["):
            starts.append(start)
            continue
        if punctuation is not None:
            start = starts.pop()
        if len(shape.open) <= 2:
            yield Span(bytes(shape.open), key, start, at)
    if shape.open or shape.next != "," or not _BLANK.fullmatch(body, at):
        raise _not_json(at)


def _spans(body: bytes) -> tuple[list[Span], list[Span]]:
    """Spans of the items, and of the values beside `batch` in an envelope; Unreadable when it is not JSON in shape."""
    parts = list(_values(body))
    if not parts:
        raise _not_json(0)
    whole = parts.pop()
    if body[whole.start : whole.start + 1] == b"[":
        return [span for span in parts if span.inside == b"["], []
    members = {span.key: span for span in parts if span.inside == b"{"}
    batch = members.pop("batch", None)
    if batch is None or body[batch.start : batch.start + 1] != b"[":
        return [whole], []
    listed = [span for span in parts if span.inside == b"{[" and batch.start < span.start < batch.end]
    return listed, list(members.values())


def _not_json(at: int) -> Unreadable:
    return Unreadable(f"the body is not JSON: expected something else at byte {at}", hint="Send complete JSON")


# -- values ---------------------------------------------------------------------------------------------------------


def _short(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()[:FOUND_CHARACTERS_MAX]


def shown(value: Any) -> str:
    """A value as a reason shows it."""
    try:
        return _short(value if isinstance(value, str) else msgspec.json.encode(value).decode())
    except (TypeError, ValueError, RecursionError):
        return type(value).__name__


def refused(record: Record, source: Source, index: int, raw: Any, *reasons: Reason) -> Received:
    """An item that is no event, and why."""
    return Received(
        position_of(record.offset, index), record.source, source.channel, record.received, raw, None, reasons
    )


def aside(record: Record, source: Source, index: int, item: Any) -> Received | None:
    """What an item is that no connector can read: unusable, no object, or erased. None when it is worth reading."""
    if item.__class__ is Unusable:
        return refused(record, source, index, item.text, item.reason)
    if item.__class__ is not dict:
        return refused(record, source, index, item, Reason("not_an_object", "", "an object", shown(item)))
    fate = item.get("_erased")
    if fate.__class__ is str and fate in FATES and item.keys() <= ERASED_KEYS:
        position = position_of(record.offset, index)
        return Received(position, record.source, source.channel, record.received, item, erased=fate)
    return None
