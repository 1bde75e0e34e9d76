"""The files of the project, as the house tests read them."""

from __future__ import annotations

import ast
import gc
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BUILT = {"node_modules", ".git", ".venv", "dist", "build", "cauce-data"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


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


def parsed(path: Path) -> ast.Module:
    """The tree of a module, for as long as somebody needs it.

    The collector does not look for garbage meanwhile: there is none, and a tree is so many objects that it would look
    most of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    finally:
        if was_on:
            gc.enable()


class Outline(NamedTuple):
    """What the house asks of a module, which is much less to keep than its tree."""

    docstring: str
    functions: tuple[tuple[str, int], ...]
    """Names and lines of functions and methods."""
    classes: tuple[tuple[str, int], ...]
    """Names of classes and how many methods each has."""
    late_imports: tuple[str, ...]
    """Modules that are imported within functions."""
    busy_lines: tuple[int, ...]
    """Where a statement of the module itself does more than to define something."""


@cache
def outline(path: Path) -> Outline:
    tree = parsed(path)
    functions = [node for node in statements(tree) if isinstance(node, FUNCTIONS)]
    return Outline(
        ast.get_docstring(tree) or "",
        tuple((node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in functions),
        tuple(
            (node.name, sum(isinstance(part, FUNCTIONS) for part in node.body))
            for node in statements(tree)
            if isinstance(node, ast.ClassDef)
        ),
        tuple(found for function in functions for found in _imported(function)),
        tuple(node.lineno for node in tree.body if isinstance(node, ast.While | ast.With | ast.Global)),
    )


def _imported(function: ast.AST) -> Iterator[str]:
    for node in statements(function):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


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
