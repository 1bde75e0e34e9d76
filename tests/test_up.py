"""Who starts Cauce and stops it again leaves no process behind, however soon that is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import PATIENCE_SECONDS, first_document

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_whoever_ends_at_once_leaves_nobody_behind(tmp_path: Path, end: signal.Signals) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAUCE_")}
    with subprocess.Popen(
        [sys.executable, "-m", "cauce", "--data", str(tmp_path / "data"), "up", "--port", "0", "--json"],
        env=environment, stdout=subprocess.PIPE, text=True,
    ) as up:  # fmt: skip
        assert up.stdout is not None
        first_document(up.stdout)
        up.send_signal(end)
        try:
            # Companions hold the same pipe: it ends with the last of them.
            up.communicate(timeout=PATIENCE_SECONDS)
        finally:
            up.kill()  # whoever does not end is a failure, and nobody waits for it any longer
