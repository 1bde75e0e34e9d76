"""Every benchmark runs and says what it must say; how quick it is, is not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.__main__ import BENCHMARKS

ROOT = Path(__file__).resolve().parents[1]
FIELDS = {"name", "value", "unit", "floor", "ratio", "p99_ms", "rss_mb", "parameters"}


@pytest.mark.soak
@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_quick_run_prints_one_figure_per_line(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", name],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    figures = [json.loads(line) for line in done.stdout.splitlines()]
    assert figures
    for figure in figures:
        assert figure.keys() == FIELDS
        assert figure["value"] > 0 or figure["unit"] == "broken promises"
        assert figure["parameters"]
