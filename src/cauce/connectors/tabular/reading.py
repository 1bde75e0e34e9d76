"""Rows of a file, whatever its format: found by content first and by name second, streamed, with their line numbers.

A `Sheet` has `columns` and `rows()`. A row is (line, cells): `cells` is a list in the order of `columns`, or a
`Broken` when the line could not be read as a row. Cells are text, numbers, booleans, lists, objects or None; moments
and days are ISO 8601 text. `line` is the line of the file on which the row begins; for Excel the row of the sheet,
and for Parquet and JSON arrays the number of the record, counted from 1.
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import hashlib
import io
import json
import lzma
import math
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol, cast

import charset_normalizer
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import python_calamine
import zstandard

from cauce.errors import DefinitionInvalid, Unreadable
from cauce.registry import nearest

SAMPLE_BYTES = 262_144
CHUNK_BYTES = 1_048_576
PARQUET_ROWS = 16_384
JSON_ITEM_CHARACTERS_MAX = 16_777_216
FORMATS = ("csv", "json", "jsonl", "excel", "parquet")
SEPARATORS = (",", ";", "\t", "|", "^", "~")

_NAMES = {
    "csv": "csv", "tsv": "csv", "txt": "csv", "tab": "csv", "json": "json", "jsonl": "jsonl", "ndjson": "jsonl",
    "xlsx": "excel", "xls": "excel", "xlsb": "excel", "xlsm": "excel", "ods": "excel", "parquet": "parquet",
}  # fmt: skip
_CODE_PAGES = [
    "cp1252", "iso8859_15", "cp1250", "cp1251", "cp1253", "cp1254", "cp850", "mac_roman",
    "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr",
]  # fmt: skip
_LONE_BYTES = re.compile("[\udc80-\udcff]")
_LOOKS_LIKE_DATA = re.compile(r"[-+]?[\d.,]+|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|[^@\s]+@[^@\s]+\.\w+")


class Broken(NamedTuple):
    """A line that is no row: its text (or fields), and why."""

    raw: Any
    code: str
    expected: str


Row = tuple[int, "list[Any] | Broken"]


class Options(msgspec.Struct, frozen=True):
    """What the user knows better than the detection; None everywhere means: find out."""

    format: str | None = None
    encoding: str | None = None
    separator: str | None = None
    quote: str | None = None
    escape: str | None = None
    header: bool | list[str] | None = None
    sheet: str | None = None


class Survey(msgspec.Struct, frozen=True):
    """What one pass over the bytes found out. `damaged`: some bytes are not of the encoding."""

    path: str
    digest: str
    bytes_total: int
    compression: str
    format: str
    encoding: str
    damaged: bool


class Dialect(msgspec.Struct, frozen=True):
    separator: str = ","
    quote: str = '"'
    escape: str | None = None
    skip_spaces: bool = False


class Sheet(Protocol):
    """A table that can be read from its beginning as often as needed."""

    name: str
    digest: str
    columns: list[str]
    total: int
    """Size for a progress bar, in the unit of `position()`; 0 when nobody knows."""

    def rows(self) -> Iterator[Row]: ...

    def position(self) -> int:
        """How far `rows()` has come."""
        ...


def open_sheet(path: Path, options: Options | None = None) -> Sheet:
    """The table in a file; Unreadable when it is none, DefinitionInvalid when an option names what is not there."""
    options = options or Options()
    if not path.is_file():
        raise Unreadable(f"there is no file {str(path)!r}", hint="Check the path; quote patterns such as 'sales-*.csv'")
    found = survey(path, options)
    kinds: dict[str, Callable[[Survey, Options], Sheet]] = {
        "csv": TextSheet, "jsonl": JsonLinesSheet, "json": JsonSheet, "excel": ExcelSheet, "parquet": ParquetSheet,
    }  # fmt: skip
    if found.format in ("excel", "parquet") and found.compression:
        raise Unreadable(f"{path.name} is a {found.format} file inside {found.compression}", hint="Decompress it first")
    return kinds[found.format](found, options)


# ── the survey: one pass over all bytes ───────────────────────────────────────────────────────────────────────────────


def survey(path: Path, options: Options) -> Survey:
    """Digest, compression, format and encoding of a file, from one pass over it."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as raw:
        while chunk := raw.read(CHUNK_BYTES):
            digest.update(chunk)
    with path.open("rb") as raw:
        compression = _compression(raw.read(8))
    try:
        with _opened(path, compression)[1] as stream:
            head = stream.read(SAMPLE_BYTES)
        found = options.format or _binary_format(head)
        encoding, damaged = ("", False) if found in ("excel", "parquet") else _encoding(path, compression, options)
    except (OSError, EOFError, zstandard.ZstdError, lzma.LZMAError) as fault:
        raise Unreadable(f"{path.name} cannot be decompressed: {fault}", hint="Was it copied completely?") from fault
    if not found:
        found = _text_format(path, head.decode(encoding, "replace").lstrip("\ufeff"))
    return Survey(str(path), digest.hexdigest(), path.stat().st_size, compression, found, encoding, damaged)


def _compression(magic: bytes) -> str:
    for name, start in (("gz", b"\x1f\x8b"), ("zst", b"\x28\xb5\x2f\xfd"), ("bz2", b"BZh"), ("xz", b"\xfd7zXZ")):
        if magic.startswith(start):
            return name
    return ""


def _opened(path: Path, compression: str) -> tuple[IO[bytes], IO[bytes]]:
    """(the file itself, for the progress; the decompressed stream, which closes both)."""
    raw = path.open("rb")
    match compression:
        case "gz":
            return raw, _Closing(gzip.GzipFile(fileobj=raw), raw)
        case "zst":
            return raw, _Closing(zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True), raw)
        case "bz2":
            return raw, _Closing(bz2.BZ2File(raw), raw)
        case "xz":
            return raw, _Closing(lzma.LZMAFile(raw), raw)
        case _:
            return raw, raw


def _Closing(stream: Any, raw: IO[bytes]) -> IO[bytes]:  # noqa: N802 - used like a class
    """A buffered stream that closes the file beneath it as well."""

    class Closing(io.BufferedReader):
        def close(self) -> None:
            super().close()
            raw.close()

    return cast(IO[bytes], Closing(stream, CHUNK_BYTES))


def _binary_format(head: bytes) -> str:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
        return "excel"
    return ""


def _text_format(path: Path, head: str) -> str:
    """The format of a text, by what it looks like; by the name where that leaves a doubt."""
    suffixes = [suffix.lstrip(".").lower() for suffix in path.suffixes[-2:]]
    named = next((_NAMES[suffix] for suffix in reversed(suffixes) if suffix in _NAMES), "")
    start = head.lstrip()[:1]
    if start == "{":
        lines = [line for line in head.split("\n")[:11] if line.strip()]
        if any(_is_object(line) for line in lines):
            return "jsonl"
        return "jsonl" if named == "jsonl" else "json"
    if start == "[" and re.match(r"\[\s*[{\]]", head.lstrip()):
        return "json"
    return named if named in ("json", "jsonl") and not head.strip() else "csv"


def _is_object(line: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(line.strip().encode("utf-8", "replace")), dict)
    except msgspec.DecodeError:
        return False


def _encoding(path: Path, compression: str, options: Options) -> tuple[str, bool]:
    """(encoding, whether some bytes do not belong to it), judged over the whole file."""
    if options.encoding:
        try:
            name = codecs.lookup(options.encoding).name
        except LookupError:
            hint = nearest(options.encoding, ["utf-8", "utf-16", *_CODE_PAGES])
            raise DefinitionInvalid(f"file.encoding: there is no encoding {options.encoding!r}", hint=hint) from None
        return ("utf-8-sig" if name == "utf-8" else name), True
    with _opened(path, compression)[1] as stream:
        head = stream.read(4_096)
        wide = _wide(head)
        if wide:
            return wide, True
        return _narrow(head, stream)


def _wide(head: bytes) -> str:
    """UTF-32 or UTF-16, with a byte-order mark or told by the zero bytes of ASCII characters."""
    for mark, name in (
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return name
    even, odd, half = head[0::2].count(0), head[1::2].count(0), max(1, len(head) // 2)
    if odd > 0.4 * half and even < 0.1 * half:
        return "utf-16-le"
    if even > 0.4 * half and odd < 0.1 * half:
        return "utf-16-be"
    return ""


def _narrow(head: bytes, stream: IO[bytes]) -> tuple[str, bool]:
    """UTF-8 unless it holds more wrong bytes than right characters; then what its wrong part looks like."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    right = wrong = 0
    strange = b""
    chunk = head
    while chunk:
        if not chunk.isascii():
            text = decoder.decode(chunk)
            lone = len(_LONE_BYTES.findall(text))
            wrong += lone
            right += len(text) - len(text.encode("ascii", "ignore")) - lone
            if lone and len(strange) < SAMPLE_BYTES:
                strange += b"\n".join(line for line in chunk.split(b"\n") if not line.isascii())[:SAMPLE_BYTES]
        else:
            decoder.decode(chunk)
        chunk = stream.read(CHUNK_BYTES)
    if wrong <= right:
        return "utf-8-sig", wrong > 0
    return _code_page(strange), True


def _code_page(sample: bytes) -> str:
    """The most likely code page; Windows-1252 unless another one fits clearly better."""
    matches = charset_normalizer.from_bytes(sample[:32_768], cp_isolation=_CODE_PAGES)
    western = next((match for match in matches if match.encoding == "cp1252"), None)
    best = matches.best()
    if best is None or (western is not None and western.chaos <= best.chaos + 0.05):
        return "cp1252"
    return str(best.encoding)


# ── text: CSV and its relatives ───────────────────────────────────────────────────────────────────────────────────────


class _Lines:
    """Lines of a text with their number; a record that turns out to be broken gives its further lines back."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._stream)
        self.number += 1
        self.taken.append(line)
        return line

    def give_back(self) -> str:
        """Keeps the first line that was taken and returns it; the others will be read again."""
        first, *others = self.taken
        self._again.extendleft(reversed(others))
        self.number -= len(others)
        return first


class _TextSource:
    """The text of a file, and how far into the file it was read."""

    def __init__(self, found: Survey) -> None:
        self.name = Path(found.path).name
        self.digest = found.digest
        self.total = found.bytes_total
        self._survey = found
        self._raw: IO[bytes] | None = None
        self._errors = "surrogateescape" if found.encoding == "utf-8-sig" else "replace"
        self._strange = _LONE_BYTES if found.encoding == "utf-8-sig" else re.compile("\ufffd")

    def position(self) -> int:
        return self._raw.tell() if self._raw is not None and not self._raw.closed else 0

    def _text(self, newline: str = "") -> IO[str]:
        self._raw, stream = _opened(Path(self._survey.path), self._survey.compression)
        return io.TextIOWrapper(cast(Any, stream), self._survey.encoding, self._errors, newline=newline)

    def _is_strange(self, text: str) -> bool:
        return self._survey.damaged and self._strange.search(text) is not None


def _printable(text: str) -> str:
    """Text that can be written as UTF-8: stray bytes are shown as `\\xNN`."""
    return text.rstrip("\r\n").encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")[:32_768]


class TextSheet(_TextSource):
    """Separated values. A broken line is given out as `Broken`, and reading goes on with the line after it."""

    def __init__(self, found: Survey, options: Options) -> None:
        super().__init__(found)
        with self._text() as stream:
            sample = stream.read(SAMPLE_BYTES).lstrip("\ufeff")
        self.dialect = find_dialect(sample, options, whole=found.bytes_total < SAMPLE_BYTES and not found.compression)
        first = next((cells for _, cells in self._records() if isinstance(cells, list)), [])
        self.has_header = _has_header(first) if options.header is None else options.header is True
        given = options.header if isinstance(options.header, list) else None
        names = given or (first if self.has_header else [f"column_{index + 1}" for index in range(len(first))])
        self.columns = unique_names(names)

    def rows(self) -> Iterator[Row]:
        width = len(self.columns)
        records = self._records()
        if self.has_header:
            for _, cells in records:
                if isinstance(cells, list):
                    break
        for line, cells in records:
            if isinstance(cells, list) and len(cells) != width:
                yield line, Broken(cells, "columns_differ", f"{width} fields, found {len(cells)}")
            else:
                yield line, cells

    def _records(self) -> Iterator[Row]:
        dialect = self.dialect
        with self._text() as stream:
            lines = _Lines(stream)
            reader = _rows_of(lines, dialect)
            taken, damaged = lines.taken, self._survey.damaged
            while True:
                taken.clear()
                start = lines.number + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as fault:
                    yield start, Broken(_printable(lines.give_back()), "line_broken", f"a well-formed line ({fault})")
                    continue
                if damaged and self._is_strange("".join(taken)):
                    raw = _printable("".join(taken))
                    yield start, Broken(raw, "characters_unreadable", f"text in {self._survey.encoding}")
                elif cells:
                    yield start, cells


def find_dialect(sample: str, options: Options, *, whole: bool = False) -> Dialect:
    """The separator and quotes that cut the sample into the most even table; what `options` says is taken as it is."""
    if not whole and "\n" in sample:
        sample = sample[: sample.rindex("\n") + 1]
    separators = (options.separator,) if options.separator else SEPARATORS
    quotes = ('"', "'") if options.quote is None else (options.quote,)
    escapes: tuple[str | None, ...] = (options.escape,) if options.escape else (None,)
    if options.escape is None and '\\"' in sample:
        escapes = (None, "\\")
    best, best_score = Dialect(separators[0], quotes[0], options.escape), (0.0, 0)
    for quote in quotes:
        if quote == "'" and options.quote is None and not _is_quoted_with_apostrophes(sample):
            continue
        for escape in escapes:
            for separator in separators:
                spaces = f"{separator} {quote}" in sample
                dialect = Dialect(separator, quote, escape, spaces)
                score = _evenness(sample, dialect)
                if score > best_score:
                    best, best_score = dialect, score
    return best


def _is_quoted_with_apostrophes(sample: str) -> bool:
    lines = [line.strip() for line in sample.split("\n")[:50] if line.strip()]
    return bool(lines) and sum(line.startswith("'") or line.endswith("'") for line in lines) > len(lines) / 2


def _rows_of(lines: Iterable[str], dialect: Dialect) -> Any:
    """A reader of rows as the dialect writes them; strict, so that what is broken is told."""
    return csv.reader(
        lines,
        delimiter=dialect.separator,
        quotechar=dialect.quote or None,
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        doublequote=dialect.escape is None,
        escapechar=dialect.escape,
        skipinitialspace=dialect.skip_spaces,
        strict=True,
    )


def _evenness(sample: str, dialect: Dialect) -> tuple[float, int]:
    """(share of rows with the most frequent number of fields, that number); a single column counts for little."""
    reader = _rows_of(io.StringIO(sample, newline=""), dialect)
    widths: Counter[int] = Counter()
    broken = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error:
            broken += 1
            continue
        if cells:
            widths[len(cells)] += 1
    if not widths:
        return 0.0, 0
    width, count = widths.most_common(1)[0]
    even = count / (widths.total() + broken)
    return (even if width > 1 else even / 100), width


def _has_header(first: list[str]) -> bool:
    """Whether a first row looks like names: nothing in it is a number, a date or an e-mail address; it is not void."""
    return any(first) and not any(_LOOKS_LIKE_DATA.fullmatch(cell.strip()) for cell in first)


def unique_names(names: list[Any]) -> list[str]:
    """Column names without surrounding space; a nameless one gets its number, a repeated one a suffix."""
    seen: set[str] = set()
    result = []
    for index, raw in enumerate(names):
        name = str(raw if raw is not None else "").strip().lstrip("\ufeff") or f"column_{index + 1}"
        unique, count = name, 1
        while unique in seen:
            count += 1
            unique = f"{name}_{count}"
        seen.add(unique)
        result.append(unique)
    return result


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


class _JsonSource(_TextSource):
    """Objects as rows; members of inner objects become columns named `outer.inner`. Lists stay cells."""

    def __init__(self, found: Survey, _options: Options) -> None:
        super().__init__(found)
        names: dict[str, None] = {}
        for _, item in self._objects():
            if isinstance(item, dict):
                names.update(dict.fromkeys(item))
        self.columns = list(names)

    def _objects(self) -> Iterator[tuple[int, dict[str, Any] | Broken]]:
        raise NotImplementedError

    def rows(self) -> Iterator[Row]:
        columns = self.columns
        for line, item in self._objects():
            yield line, item if isinstance(item, Broken) else [item.get(column) for column in columns]


class JsonLinesSheet(_JsonSource):
    """One object a line."""

    def _objects(self) -> Iterator[tuple[int, dict[str, Any] | Broken]]:
        decode = msgspec.json.Decoder().decode
        with self._text(newline="\n") as stream:
            for number, text in enumerate(stream, 1):
                if not text or text.isspace():
                    continue
                if self._is_strange(text):
                    encoding = self._survey.encoding
                    yield number, Broken(_printable(text), "characters_unreadable", f"text in {encoding}")
                    continue
                try:
                    item = decode(text)
                except msgspec.DecodeError as fault:
                    yield number, Broken(_printable(text), "line_broken", f"a JSON object ({fault})")
                    continue
                if isinstance(item, dict):
                    yield number, flatten(item)
                else:
                    yield number, Broken(_printable(text), "line_broken", "a JSON object")


class JsonSheet(_JsonSource):
    """One array of objects, or objects one after another; read piece by piece."""

    def _objects(self) -> Iterator[tuple[int, dict[str, Any] | Broken]]:
        decoder = json.JSONDecoder()
        with self._text() as stream:
            text, at, number, ended = "", 0, 0, False
            while True:
                at = _past_punctuation(text, at)
                try:
                    item, at = decoder.raw_decode(text, at)
                except ValueError as fault:
                    if not ended and len(text) - at < JSON_ITEM_CHARACTERS_MAX:
                        more = stream.read(max(CHUNK_BYTES, len(text) - at))
                        text, at, ended = text[at:] + more, 0, not more
                        continue
                    if not text[at:].strip():
                        return
                    raise Unreadable(
                        f"{self.name} is not JSON after record {number}: {fault}",
                        hint=f"Near {text[at : at + 80]!r}; what stands before it was read",
                    ) from fault
                number += 1
                if isinstance(item, dict):
                    yield number, flatten(item)
                else:
                    yield number, Broken(item, "line_broken", "a JSON object")


def _past_punctuation(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,[]\ufeff":
        at += 1
    return at


def flatten(item: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Members of inner objects under `outer.inner`."""
    if not any(isinstance(value, dict) for value in item.values()):
        return {prefix + name: value for name, value in item.items()} if prefix else item
    flat: dict[str, Any] = {}
    for name, value in item.items():
        if isinstance(value, dict) and value:
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat


# ── Excel and Parquet ─────────────────────────────────────────────────────────────────────────────────────────────────


class ExcelSheet:
    """One sheet of a workbook (the first, or the one named); held in memory by its library, at most 1,048,576 rows."""

    def __init__(self, found: Survey, options: Options) -> None:
        self.name, self.digest, self.total = Path(found.path).name, found.digest, 0
        self._done = 0
        try:
            workbook = python_calamine.CalamineWorkbook.from_path(found.path)
        except (python_calamine.CalamineError, OSError) as fault:
            raise Unreadable(f"{self.name} is not a workbook that can be read: {fault}") from fault
        names = workbook.sheet_names
        if options.sheet is not None and options.sheet not in names:
            hint = nearest(options.sheet, names)
            raise DefinitionInvalid(f"file.sheet: {self.name} has no sheet {options.sheet!r}", hint=hint)
        self._cells = workbook.get_sheet_by_name(options.sheet or names[0]).to_python(skip_empty_area=False)
        start = next((index for index, cells in enumerate(self._cells) if any(cell != "" for cell in cells)), 0)
        first = self._cells[start] if self._cells else []
        has_header = options.header is True or (options.header is None and _has_header([str(cell) for cell in first]))
        given = options.header if isinstance(options.header, list) else None
        names = given or (first if has_header else [None] * len(first))
        self.columns = unique_names(names)
        self._start = start + (1 if has_header else 0)
        self.total = len(self._cells)

    def position(self) -> int:
        return self._done

    def rows(self) -> Iterator[Row]:
        for index in range(self._start, len(self._cells)):
            self._done = index + 1
            cells = [plain(cell) for cell in self._cells[index]]
            if any(cell is not None for cell in cells):
                yield index + 1, cells


class ParquetSheet:
    """Record batches of a Parquet file; members of structs become columns named `outer.inner`."""

    def __init__(self, found: Survey, _options: Options) -> None:
        self.name, self.digest = Path(found.path).name, found.digest
        self._path = found.path
        self._done = 0
        try:
            with pq.ParquetFile(found.path) as file:
                self.columns = unique_names(_flat(file.schema_arrow.empty_table()).column_names)
                self.total = file.metadata.num_rows
        except (pa.ArrowInvalid, OSError) as fault:
            raise Unreadable(f"{self.name} is not a Parquet file that can be read: {fault}") from fault

    def position(self) -> int:
        return self._done

    def rows(self) -> Iterator[Row]:
        line = 0
        with pq.ParquetFile(self._path) as file:
            for batch in file.iter_batches(batch_size=PARQUET_ROWS):
                table = _flat(pa.Table.from_batches([batch]))
                for cells in zip(*(_cells(column) for column in table.columns), strict=True):
                    line += 1
                    yield line, list(cells)
                self._done = line


def _flat(table: Any) -> Any:
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return table


def _cells(column: Any) -> list[Any]:
    """The values of a column; moments, reals and decimals are made plain once for all cells that repeat them."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind):
        return cast(list[Any], column.to_pylist())
    if pa.types.is_integer(kind) and not pa.types.is_uint64(kind):
        return cast(list[Any], column.to_pylist())
    if pa.types.is_nested(kind) or pa.types.is_dictionary(kind) or pa.types.is_null(kind):
        return [plain(value) for value in column.to_pylist()]
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    values = [plain(value) for value in encoded.dictionary.to_pylist()]
    return [None if index is None else values[index] for index in encoded.indices.to_pylist()]


def plain(value: Any) -> Any:
    """A cell as JSON can carry it, without loss: moments and days as ISO 8601 text, decimals as text, blank as None."""
    match value:
        case None | "":
            return None
        case bool() | str():
            return value
        case int():
            return value if -(2**63) <= value < 2**63 else str(value)
        case float():
            if not math.isfinite(value):
                return None if math.isnan(value) else str(value)
            return int(value) if value.is_integer() and abs(value) < 2**53 else value
        case Decimal():
            return format(value, "f")
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes() | bytearray() | memoryview():
            return bytes(value).decode("utf-8", "backslashreplace")
        case list() | tuple():
            return [plain(inner) for inner in value]
        case dict():
            return {str(name): plain(inner) for name, inner in value.items()}
        case _:
            return str(value)
