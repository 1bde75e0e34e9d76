"""Which Python the environment is made with: measured on this machine, never worse than the one that was given."""

from __future__ import annotations

import importlib.util
import os
import sys
from itertools import chain, repeat
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
UNUSABLE = ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho '{}'\n", "#!/bin/sh\necho none\n", "no program"]


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("interpreters", ROOT / "requirements" / "interpreters.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


interpreters = _loaded()
Interpreter = interpreters.Interpreter

found = st.builds(
    Interpreter,
    st.sampled_from(["/a/python", "/b/python", "/c/python"]),
    st.sampled_from([(3, 11), (3, 12)]),
    st.floats(0.001, 10),
)


@given(found, st.lists(found))
def test_another_build_must_be_of_the_same_version_and_clearly_quicker(own, others):
    chosen = interpreters.chosen(own, others)
    assert chosen.version == own.version
    same = [other.seconds for other in others if other.version == own.version]
    if chosen is own:
        assert all(seconds >= own.seconds * (1 - interpreters.GAIN_MIN) for seconds in same)
    else:
        assert chosen.seconds == min(same)
        assert chosen.seconds < own.seconds * (1 - interpreters.GAIN_MIN)


def test_a_python_says_who_it_is_and_how_long_it_takes():
    own = interpreters.measured(sys.executable)
    assert own.version == sys.version_info[:2]
    assert own.executable == os.path.realpath(sys._base_executable)
    assert own.seconds > 0


@pytest.mark.parametrize(
    "text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho '{}'\n", "#!/bin/sh\necho none\n", "no program"]
)
def test_what_is_no_usable_python_is_passed_over(tmp_path: Path, text: str):
    broken = tmp_path / "python3"
    broken.write_text(text)
    broken.chmod(0o755)
    assert interpreters.measured(str(broken)) is None


def test_the_path_is_searched_for_that_version_each_build_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for folder in ("one", "two", "three"):
        (tmp_path / folder).mkdir()
    real = tmp_path / "one" / "python3.11"
    real.write_text("#!/bin/sh\n")
    real.chmod(0o755)
    (tmp_path / "two" / "python3").symlink_to(real)
    (tmp_path / "two" / "python3.11").write_text("not executable")
    (tmp_path / "three" / "python3.12").write_text("#!/bin/sh\n")
    monkeypatch.setenv("PATH", ":".join(str(tmp_path / folder) for folder in ("one", "two", "three", "missing")))
    assert interpreters.on_path(3, 11) == [str(real)]


def test_the_quicker_build_is_found_in_turns(monkeypatch: pytest.MonkeyPatch):
    seconds = {"own": chain([1.0], repeat(3.0)), "other": chain([2.0, 2.0, 0.8], repeat(2.0))}
    monkeypatch.setattr(interpreters, "on_path", lambda *_version: ["other", "broken"])
    monkeypatch.setattr(sys, "executable", "own")
    monkeypatch.setattr(
        interpreters,
        "measured",
        lambda path: Interpreter(path, (3, 11), next(seconds[path])) if path in seconds else None,
    )
    assert interpreters.quickest() == "other"
