"""The package that would be published is whole."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile

import pytest

import cauce
from tests.house.tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this tree, opened."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as opened:
        yield opened


def test_wheel_contains_everything_and_nothing_else(wheel):
    inside = {name for name in wheel.namelist() if not name.startswith(f"cauce-{PROJECT['version']}.dist-info/")}
    source = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.endswith(".pyc")
    }
    assert inside == source


def test_wheel_carries_its_licence_and_its_command(wheel):
    about = f"cauce-{PROJECT['version']}.dist-info"
    assert f"{about}/licenses/LICENSE" in wheel.namelist()
    assert f"{about}/licenses/NOTICE" in wheel.namelist()
    assert "cauce = cauce.cli.main:main" in wheel.read(f"{about}/entry_points.txt").decode()
    assert "cauce/py.typed" in wheel.namelist()


def test_one_version():
    assert cauce.__version__ == PROJECT["version"]
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_public_names_are_few_and_there():
    assert len(cauce.__all__) <= 15
    assert all(hasattr(cauce, name) for name in cauce.__all__)
