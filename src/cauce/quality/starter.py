"""The contracts that every installation starts with: the e-commerce vocabulary and the shop floor's."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from cauce.errors import DefinitionInvalid
from cauce.quality.contract import Compiled, Contract, parse


class _Loader(yaml.SafeLoader):
    """Reads dates as the text that stands there, as JSON does."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own class attribute)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read(text: str) -> dict[str, Any]:
    """A contract set from YAML or JSON: `{"contracts": [definition …], "unknown": "accept"}`, not yet checked."""
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 (a safe loader)
    except yaml.YAMLError as fault:
        raise DefinitionInvalid(f"the contract set is not readable YAML: {fault}") from fault
    if not isinstance(document, dict) or not isinstance(document.get("contracts", []), list):
        raise DefinitionInvalid("expected a contract set to be a mapping with a list of contracts")
    return document


@cache
def starter_sets() -> tuple[tuple[str, str, tuple[Contract, ...]], ...]:
    """(title, description, contracts) of each starter file, in the order of their names."""
    folder = files("cauce.quality") / "contracts"
    found = []
    for file in sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name):
        document = read(file.read_text(encoding="utf-8"))
        contracts = tuple(parse(definition) for definition in document["contracts"])
        found.append((str(document["title"]), str(document["description"]).strip(), contracts))
    return tuple(found)


def starter_contracts() -> tuple[Contract, ...]:
    """All starter contracts."""
    return tuple(contract for _, _, contracts in starter_sets() for contract in contracts)


@cache
def starter_compiled() -> tuple[Compiled, ...]:
    """All starter contracts, compiled once per process."""
    return tuple(Compiled(contract) for contract in starter_contracts())
