"""`cauce stock import` and `cauce stock export`: counts out of files, and reports of what lies where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cauce.app import Platform
from cauce.app.stock_files import Wanted, compare_file, count_file, report_of
from cauce.cli.facts import moment_of, report_shown
from cauce.cli.main import json_option, output, pass_platform, user
from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.tills.api import EVERY


@click.command("import")
@click.argument("feed", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", default=EVERY, metavar="NAME", help="Source whose names of stores the FEED uses.")
@click.option("--channel", default="", metavar="NAME", help="Channel whose ids of products the FEED uses.")
@click.option("--place", default="", metavar="PLACE", help="The place of rows that name none.")
@click.option("--at", "at", default="", metavar="MOMENT", help="When it lay there, for rows that do not say; now.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@json_option
@pass_platform
def import_(platform: Platform, /, feed: Path, dry_run: bool, as_json: bool, **told: Any) -> None:
    """Count what a FEED says lies where: CSV, Excel, JSON lines, Parquet, or an InventoryReport of UBL 2.1.

    A row is a physical count since the moment it names: facts of before and after keep their place, in whatever order
    they come. Ends with 1 when a row was of no use.
    """
    wanted = Wanted(told["source"], told["channel"], told["place"], moment_of(told["at"]))
    found = compare_file(platform, feed, wanted) if dry_run else count_file(platform, feed, wanted, user())
    output(as_json, found, lambda report: report_shown(report, "would change" if dry_run else "changed"))
    if found.bad_rows:
        raise SystemExit(1)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--place", "places", multiple=True, metavar="PLACE", help="Only this place; may be repeated.")
@click.option("--party", default="", metavar="NAME", help="For whom the report is.")
@json_option
@pass_platform
def export(platform: Platform, file: Path, places: tuple[str, ...], party: str, as_json: bool) -> None:
    """Write an InventoryReport of UBL 2.1 of what lies where now."""
    wanted = [catalogue.need_place(platform.commerce, place).id for place in places] or [
        place.id for place in catalogue.places(platform.commerce)
    ]
    body = report_of(platform, wanted, party or "Cauce")
    file.write_bytes(body)
    output(as_json, {"file": str(file), "bytes": len(body), "places": wanted}, lambda told: f"{told['file']} written")
