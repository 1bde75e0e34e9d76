"""What the console gives to paste does what it says as it stands: each piece sends its event to a real `cauce up`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cauce.http.snippets import SNIPPETS, snippets

pytestmark = pytest.mark.sdk

HERE = Path(__file__).parent
GUIDE = HERE.parents[1] / "docs/howto/connect-sdks.md"
MODULE = re.compile(r"^import .* from ['\"](.+)['\"]|^from (\S+) import", re.MULTILINE)


def modules(text):
    return {script or python for script, python in MODULE.findall(text)}


def sent(running_cauce, name, *command, text_is_input=False):
    """Runs a piece as it is pasted, and sees its event and its person."""
    text = snippets(running_cauce.url, running_cauce.key("server", "server"))[name]
    done = subprocess.run(
        command if text_is_input else [*command, text],
        input=text if text_is_input else None,
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (event,) = running_cauce.wait_for_events(1)
    assert event["name"] == "Order Completed"
    assert running_cauce.person("user_id", "u1")


@pytest.mark.parametrize("name", [name for name in SNIPPETS if name.startswith("Python")])
def test_python(running_cauce, name):
    sent(running_cauce, name, sys.executable, "-W", "ignore", "-c")


def test_node(running_cauce, node, packages):
    sent(running_cauce, "Node", node, "--input-type=module", text_is_input=True)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_anything_that_speaks_http(running_cauce):
    sent(running_cauce, "Anything", "bash", "-c")


def test_there_is_one_for_each_client_of_the_guide():
    offered = {module for text in SNIPPETS.values() for module in modules(text)}
    assert offered == modules(GUIDE.read_text(encoding="utf-8"))
    assert len(offered) == 5
