"""One way to find plug-ins: the modules of a package folder, and entry points of other distributions.

A plug-in is a module with a `NAME`. Two plug-ins of one name are refused, whoever brought them.
"""

from __future__ import annotations

import importlib
import pkgutil
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from cauce.errors import Conflict, NotFound


def find(package: str, *, role: str) -> dict[str, ModuleType]:
    """Plug-ins by name: modules of `package` that define `NAME` and the attribute `role`, and entry points `package`.

    Raises Conflict when two of them carry the same name.
    """
    home = importlib.import_module(package)
    modules = [
        importlib.import_module(f"{package}.{found.name}")
        for found in sorted(pkgutil.iter_modules(home.__path__), key=lambda module: module.name)
        if not found.ispkg
    ]
    modules += [point.load() for point in _brought(package)]
    plugins: dict[str, ModuleType] = {}
    for module in modules:
        name = getattr(module, "NAME", "")
        if not name or not hasattr(module, role):
            continue
        if name in plugins:
            raise Conflict(
                f"two plug-ins are named {name!r}: {plugins[name].__name__} and {module.__name__}",
                hint="Rename one of them",
            )
        plugins[name] = module
    return plugins


@cache
def _brought(package: str) -> tuple[EntryPoint, ...]:
    """What other distributions bring; read once, for that means to open a file of each one that is installed."""
    return tuple(entry_points(group=package))


def nearest(name: str, known: list[str]) -> str:
    """A hint such as *Did you mean 'email'?*, or a list of what there is."""
    close = get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(sorted(known)) or 'none'}"


def pick(plugins: dict[str, ModuleType], name: str, *, what: str) -> ModuleType:
    """The plug-in of that name; NotFound with the nearest name when there is none."""
    try:
        return plugins[name]
    except KeyError:
        raise NotFound(f"no {what} is named {name!r}", hint=nearest(name, list(plugins))) from None
