"""The files of the project, as the house tests read them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILT = {"node_modules", ".git", ".venv", "dist", "build", "cauce-data"}


@cache
def files(*suffixes: str) -> tuple[Path, ...]:
    """Files that are, or would be, in the repository; with one of the suffixes when any is named."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:  # an unpacked archive
        paths = [path for path in ROOT.rglob("*") if not BUILT & set(path.relative_to(ROOT).parts)]
    return tuple(
        sorted(
            path
            for path in set(paths)
            if path.is_file() and "_cache" not in str(path) and (not suffixes or path.suffix in suffixes)
        )
    )


def name(path: Path) -> str:
    """A path as a person would say it, from the project's root."""
    return path.relative_to(ROOT).as_posix()


def modules(folder: str) -> list[Path]:
    """Python files below a folder of the project."""
    return [path for path in files(".py") if (ROOT / folder) in path.parents]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """All statements below a node, at any depth: much quicker than a walk that visits every name as well."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, field, ())
            if isinstance(inner, list):  # a lambda's body is an expression
                waiting += inner
                yield from (each for each in inner if isinstance(each, ast.stmt))


def pages() -> list[Path]:
    """Pages of documentation: those in `docs/` and those in the root."""
    return [path for path in files(".md") if path.parent == ROOT or (ROOT / "docs") in path.parents]
