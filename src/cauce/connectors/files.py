"""Files in: CSV, TSV, JSON lines, JSON, Excel and Parquet become events by a mapping.

Channel role: `decode` reads the canonical items that an import has put into the log (`tabular/canonical.py`).
"""

from __future__ import annotations

import glob
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from cauce.connectors.tabular.canonical import decode, described
from cauce.connectors.tabular.loading import ImportReport, OnProgress, Step, Target, load
from cauce.connectors.tabular.mapping import Mapping, load_mapping, parse_mapping
from cauce.connectors.tabular.reading import Options, open_sheet
from cauce.connectors.tabular.shaping import Shaper
from cauce.connectors.tabular.suggestion import suggest
from cauce.errors import Unreadable

NAME = "files"

__all__ = [
    "NAME",
    "DryRun",
    "ImportReport",
    "Mapping",
    "Step",
    "decode",
    "dry_run",
    "import_file",
    "load_mapping",
    "matching",
    "parse_mapping",
    "suggest_mapping",
]


class DryRun(msgspec.Struct, frozen=True):
    """What would come out: the first `events` and the first `bad` rows, and how the file is read."""

    name: str
    columns: list[str]
    events: list[dict[str, Any]]
    bad: list[dict[str, Any]]
    rows: int
    skipped: int


def matching(patterns: Iterable[str]) -> list[Path]:
    """Files of names and patterns (`*`, `**`), in order and once each; Unreadable when one matches nothing."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        names = [pattern] if Path(pattern).is_file() else sorted(glob.glob(pattern, recursive=True))
        files = [Path(name) for name in names if Path(name).is_file()]
        if not files:
            raise Unreadable(f"no file matches {pattern!r}", hint="Check the path")
        found.update(dict.fromkeys(files))
    return list(found)


def import_file(
    target: Target,
    path: Path,
    mapping: Mapping,
    *,
    again: bool = False,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Appends a file's items to the log. Interrupted, it goes on where it stopped; finished, it does nothing.

    Unreadable when the file cannot be read, DefinitionInvalid when the mapping names what is not in it.
    """
    sheet = open_sheet(path, mapping.options)
    return load(target, NAME, sheet, mapping, again=again, on_progress=on_progress)


def dry_run(path: Path, mapping: Mapping, *, events_max: int = 5, rows_max: int = 10_000) -> DryRun:
    """The first events and bad rows of the first `rows_max` rows; writes nothing."""
    sheet = open_sheet(path, mapping.options)
    shaper = Shaper(mapping, sheet.columns)
    events: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    for item in shaper.items(islice(sheet.rows(), rows_max)):
        chosen = events if isinstance(item, list) else bad
        if len(chosen) < events_max:
            chosen.append(described(item))
    return DryRun(sheet.name, sheet.columns, events, bad, shaper.rows_read, shaper.skipped)


def suggest_mapping(path: Path, options: Options | None = None, *, source: str = "", channel: str = "") -> str:
    """A first mapping as YAML with comments that say why; it loads as it is."""
    return suggest(open_sheet(path, options), path, source=source, channel=channel)
