"""`cauce bench`: the benchmarks that lie beside the package, on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

import cauce
from cauce.errors import MissingExtra


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("names", nargs=-1)
@click.option("--quick", is_flag=True, help="A small run: shows that it works, measures nothing.")
@click.option("--json", "as_json", is_flag=True, help="The output is JSON lines in any case.")
def bench(names: tuple[str, ...], quick: bool, as_json: bool) -> None:
    """Measure intake, river, freshness, reads and memory on this machine, each beside its floor; JSON lines."""
    home = Path(cauce.__file__).parents[2]
    if not (home / "benchmarks" / "__main__.py").exists():
        raise MissingExtra("the benchmarks are part of the source checkout", hint="Clone the project and run it there")
    options = [*(["--quick"] if quick else []), *(["--json"] if as_json else [])]
    command = [sys.executable, "-m", "benchmarks", *options, *names]
    raise SystemExit(subprocess.run(command, cwd=home, check=False).returncode)  # noqa: S603 - our own program
