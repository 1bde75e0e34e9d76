"""`cauce import`: files and databases in, by a mapping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Group
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cauce import registry
from cauce.app import Platform
from cauce.cli.main import errors, json_option, output, pass_platform
from cauce.connectors.files import (
    DryRun,
    ImportReport,
    Mapping,
    Step,
    dry_run,
    import_file,
    load_mapping,
    matching,
    suggest_mapping,
)
from cauce.connectors.reading import open_body
from cauce.connectors.sql import Query, import_query
from cauce.errors import NotFound
from cauce.model import Source

EXIT_INTERRUPTED = 130
IMPORTED_EVENT_BYTES_MAX = 1_048_576
"""Bound of one event of a source that an import makes: invoices have hundreds of lines, clicks have not."""


class Imported(msgspec.Struct, frozen=True):
    """What the command did: one report per table, and the source's counts after processing (None: not waited for)."""

    source: str
    key: str
    imports: list[ImportReport]
    duplicates: int | None
    quarantined: int | None


@click.command("import")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--mapping", "mapping_path", type=click.Path(path_type=Path), help="Mapping (YAML) of columns to events.")
@click.option("--suggest", is_flag=True, help="Print a first mapping guessed from the first FILE, and do nothing else.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Show the first events and bad rows; write nothing.")
@click.option("--again", is_flag=True, help="Send files again that were imported before; ids keep that harmless.")
@click.option("--wait/--no-wait", default=True, help="Process the events after appending them (default).")
@click.option("--database", metavar="URL", help="Read from a database (SQLAlchemy URL) instead of files.")
@click.option("--query", metavar="SQL", help="The question to the database.")
@click.option("--incremental-column", metavar="COLUMN", default="", help="Next time, start at its highest value.")
@click.option("--connector", metavar="NAME", help="Hand whole FILEs to this connector: poslog, epcis, tracking …")
@click.option("--source", metavar="NAME", default="", help="With --connector: the source that they come from.")
@click.option("--channel", metavar="NAME", default="store", show_default=True, help="Channel of a source that is new.")
@json_option
def import_(files: tuple[str, ...], suggest: bool, **options: Any) -> None:
    """Import FILEs (names or patterns) or the rows of a database query.

    \b
    CSV, TSV, JSON lines, JSON, Excel and Parquet are recognised by their content, as are encodings, separators and
    compression (gzip, zstd, bzip2, xz).

    \b
      cauce import sales.csv --suggest > sales.yaml        a first mapping, to be checked
      cauce import sales.csv --mapping sales.yaml --dry-run
      cauce import 'sales-*.csv.gz' --mapping sales.yaml
      cauce import tlog.xml --connector poslog --source tills
      cauce import --database postgresql://host/shop --query "select * from orders" --mapping orders.yaml

    An interrupted import goes on where it stopped; the same file twice changes nothing.
    """
    if bool(files) == bool(options["database"]):
        raise click.UsageError("Give FILEs, or --database with --query.")
    if options["connector"]:
        if not files or not options["source"]:
            raise click.UsageError("--connector reads FILEs and needs --source.")
        _hand_over(files=files, options=options)
        return
    if suggest:
        if not files:
            raise click.UsageError("--suggest reads a FILE.")
        click.echo(suggest_mapping(matching(files)[0]), nl=False)
        return
    if options["mapping_path"] is None:
        raise click.UsageError("--mapping is missing; `cauce import FILE --suggest` writes a first one.")
    mapping = load_mapping(options["mapping_path"])
    if options["is_dry"]:
        if not files:
            raise click.UsageError("--dry-run reads FILEs.")
        output(options["as_json"], [dry_run(path, mapping) for path in matching(files)], _shown_dry)
        return
    _run(mapping=mapping, files=files, options=options)


@pass_platform
def _run(platform: Platform, *, mapping: Mapping, files: tuple[str, ...], options: dict[str, Any]) -> None:
    """Imports every table, then processes what was appended, each with a progress bar."""
    jobs = _jobs(platform, mapping, files, options)
    key = _source(platform, mapping)
    reports: list[ImportReport] = []
    context = click.get_current_context()
    try:
        with _bars(is_shown=not options["as_json"]) as bar:
            reports.extend(job(_on_step(bar, name)) for name, job in jobs)
            if options["wait"]:
                on_progress = _on_drain(bar)
                platform.drain(on_progress=on_progress)
    except KeyboardInterrupt:
        errors.print("Interrupted. The same command goes on where it stopped.")
        context.exit(EXIT_INTERRUPTED)
    counts = _counts(platform, mapping.source) if options["wait"] else {}
    imported = Imported(mapping.source, key, reports, counts.get("duplicate"), counts.get("quarantined"))
    output(options["as_json"], imported, _shown)


class HandedOver(msgspec.Struct, frozen=True):
    """What became of files that were handed to a connector: records appended, and the source's counts since ever."""

    source: str
    key: str
    files: dict[str, int]
    counts: dict[str, int]


@pass_platform
def _hand_over(platform: Platform, *, files: tuple[str, ...], options: dict[str, Any]) -> None:
    """Hands whole files to a connector. The same file twice changes nothing, when its facts have ids of their own."""
    found = registry.find("cauce.connectors", role="decode")
    connector = registry.pick(found, options["connector"], what="connector")
    frame = getattr(connector, "frame", lambda body, _manner: [body])
    records = {path: frame(open_body(path.read_bytes()), "") for path in matching(files)}
    source = Source(options["source"], options["channel"], event_bytes_max=IMPORTED_EVENT_BYTES_MAX)
    key = _made(platform, source)
    for bodies in records.values():
        platform.append(source.name, options["connector"], bodies)
    if options["wait"]:
        platform.drain()
    counts = {name: value for name, value in _counts(platform, source.name).items() if isinstance(value, int)}
    told = HandedOver(source.name, key, {path.name: len(bodies) for path, bodies in records.items()}, counts)
    output(options["as_json"], told, _shown_handed)


def _shown_handed(told: HandedOver) -> str:
    lines = [f"{name}: {count:,} records" for name, count in told.files.items()]
    if told.key:
        lines.append(f"New source {told.source}; its write key, shown once: {told.key}")
    if told.counts.get("quarantined"):
        lines.append(f"{told.counts['quarantined']:,} of this source are in quarantine: cauce quarantine list")
    return "\n".join(lines)


Job = Callable[[Callable[[Step], None]], ImportReport]


def _jobs(
    platform: Platform, mapping: Mapping, files: tuple[str, ...], options: dict[str, Any]
) -> list[tuple[str, Job]]:
    if options["database"]:
        if not options["query"]:
            raise click.UsageError("--database needs --query.")
        query = Query(options["database"], options["query"], options["incremental_column"])
        return [("query", lambda on_step: import_query(platform, query, mapping, on_progress=on_step))]

    def job(path: Path) -> Job:
        return lambda on_step: import_file(platform, path, mapping, again=options["again"], on_progress=on_step)

    return [(path.name, job(path)) for path in matching(files)]


def _source(platform: Platform, mapping: Mapping) -> str:
    """Makes the mapping's source when it is missing; its key then, which is shown once, else nothing."""
    return _made(
        platform,
        Source(
            mapping.source, mapping.channel or "file", region=mapping.region, event_bytes_max=IMPORTED_EVENT_BYTES_MAX
        ),
    )


def _made(platform: Platform, source: Source) -> str:
    """Makes a source when it is missing; its key then, else nothing."""
    with suppress(NotFound):
        platform.sources.get(source.name)
        return ""
    return str(platform.sources.add(source))


def _counts(platform: Platform, source: str) -> dict[str, int]:
    """What became of the source's items, since ever."""
    return next((row for row in platform.quality.counts("source") if row["source"] == source), {})


# ── showing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _bars(*, is_shown: bool) -> Iterator[Progress]:
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        TextColumn("{task.fields[events]:,} events"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=errors, disable=not is_shown or not errors.is_terminal) as bar:
        yield bar


def _on_step(bar: Progress, name: str) -> Callable[[Step], None]:
    task = bar.add_task(name, total=None, events=0)

    def told(step: Step) -> None:
        label = name if step.phase == "reading" else f"{name} (gathering)"
        bar.update(task, description=label, completed=step.done, total=step.total or None, events=step.items)

    return told


def _on_drain(bar: Progress) -> Callable[[int, int], None]:
    task = bar.add_task("processing", total=None, events=0)
    first: list[int] = []

    def told(offset: int, until: int) -> None:
        first.append(offset)
        bar.update(task, completed=offset - first[0], total=max(1, until - first[0]))

    return told


def _shown(imported: Imported) -> Group:
    table = Table(title=f"source {imported.source}", title_justify="left")
    for column in ("table", "rows", "events", "bad rows", "skipped", "seconds", ""):
        table.add_column(column, justify="left" if column in ("table", "") else "right")
    for report in imported.imports:
        note = "imported before" if report.already else (f"went on after {report.resumed:,}" if report.resumed else "")
        numbers = (f"{number:,}" for number in (report.rows, report.events, report.bad, report.skipped))
        table.add_row(report.name, *numbers, f"{report.seconds:.1f}", note)
    lines = []
    if imported.key:
        lines.append(Text(f"New source {imported.source}; its write key, shown once: {imported.key}", overflow="fold"))
    if imported.quarantined:
        hint = f"cauce quarantine list --source {imported.source}"
        lines.append(Text(f"{imported.quarantined:,} of this source are in quarantine: {hint}"))
    return Group(table, *lines)


def _shown_dry(runs: list[DryRun]) -> str:
    lines: list[str] = []
    for run in runs:
        lines.append(f"{run.name}: {run.rows:,} rows read, {run.skipped:,} skipped; nothing was written")
        for title, items in (("events", run.events), ("bad rows", run.bad)):
            lines.append(f"{title}:" if items else f"{title}: none")
            lines += [msgspec.json.format(msgspec.json.encode(item), indent=2).decode() for item in items]
    return "\n".join(lines)
