"""What the rest of Cauce says to people: every sentence of an error, a hint, a fault or a reason, found in the sources.

A sentence is an f-string; here it becomes a text of the catalogues with the names of what is filled in, so that
`f"expected limit to be 1–{LIMIT_MAX}, got {limit}"` is `expected limit to be 1–%(limit_max)s, got %(limit)s`.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from babel.messages.catalog import Message

from cauce import errors
from cauce.commerce.fulfilment.sourcing import default_rules
from cauce.console.sayings import CONTEXT, FOREIGN
from cauce.profiles.definitions import default_definitions
from cauce.quality.starter import starter_contracts
from tests.house.tree import parsed

SOURCES = Path(inspect.getfile(errors)).parent
UNSEEN = ("cli", "client", "testing", "http", "runner.py", "app/migrate.py", "connectors/tabular/mapping.py")
"""Where nothing is said that a page could show: other doors, and what only a command does."""
READING = "connectors"
"""Files and databases are imported by a command; of connectors a page shows the reasons only."""
ERRORS = {name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, errors.CauceError)}
REASONS = {"Reason": (2, 3), "Call": (2,), "_wrong": (1,), "Fault": (1,)}
"""Which arguments of a reason are words: what was expected, and what was found."""
SPEAKING = {"nearest", "shown", "_expected", "_shown", "_problem"}
"""Functions whose answers are filled into sentences."""
TABLES = {"_WORDS", "_FORMATS"}
"""Names of tables whose values are words of sentences."""
TELLING = re.compile("|".join((*sorted(ERRORS), "ValueError", *REASONS, *SPEAKING, *TABLES, "faults")))
"""Without one of these a file says nothing, and need not be read as Python."""
ASKING = re.compile(r"\b(?:records|need|add)\(")
SAME = re.compile(r"/\S*|https?:\S*|pip install .*|[A-Z][A-Za-z0-9-]*|[a-z]+\.[a-z_%]+|\{.*|(?!%: %$)[^a-z]*")
"""What is the same in every language: a command, a format, the name of a decision, an example."""
FILLED = re.compile(r"%\(\w+\)s")
LETTERS = re.compile(r"[^\W\d_]{2,}")
SHOUTED = re.compile(r"[A-Z_]+")


@cache
def sayings() -> dict[str, dict[tuple[str, str], Message]]:
    """Every sentence by the catalogue that holds it, one for each package."""
    found: dict[str, dict[tuple[str, str], Message]] = {}
    for path in sorted(SOURCES.rglob("*.py")):
        inside = path.relative_to(SOURCES)
        if any(inside.is_relative_to(unseen) for unseen in UNSEEN):
            continue
        if TELLING.search(path.read_text(encoding="utf-8")):
            reader = Reader(parsed(path), inside.parts[0])
            _keep(found, f"said_by_{inside.parts[0].removesuffix('.py')}", reader.sentences())
    _keep(found, "said_by_commerce", _rows())
    _keep(found, "said_by_console", FOREIGN)
    packaged = [each.description for each in (*starter_contracts(), *default_definitions())]
    packaged += [rule.name for rule in default_rules()]
    _keep(found, "said_by_definitions", sorted({text.replace("%", "%%") for text in packaged}))
    _keep(found, "said_by_fields", sorted(set(_described(found["said_by_definitions"]))))
    return found


def _rows():
    """What a unit of work of commerce says of a row that is missing, or there already, by the name of its table.

    The name of a table stands in the middle of the sentence, so each is a sentence of its own.
    """
    names: dict[str, list[str]] = {}
    asked: dict[str, set[str]] = {"need": set(), "add": set()}
    for path in sorted((SOURCES / "commerce").rglob("*.py")):
        if not ASKING.search(path.read_text(encoding="utf-8")):
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                if _called_name(node.value.func) == "records":
                    names.setdefault(_called_name(node.targets[0]), []).append(node.value.args[0].value)
            elif isinstance(node, ast.Call) and node.args and _called_name(node.func) in asked:
                asked[_called_name(node.func)].add(_called_name(node.args[0]).rpartition(".")[2])
    for called, sentence in (("need", "there is no {} %(key)s"), ("add", "there is already a {} %(key)s")):
        for name in sorted(asked[called] & set(names)):
            yield from (sentence.format(table.replace("_", " ")) for table in names[name])


def _described(told):
    """What the packaged contracts say of their fields, and nobody has said before."""
    schemas = [schema for each in starter_contracts() for schema in (each.properties, each.traits) if schema]
    while schemas:
        schema = schemas.pop()
        if isinstance(schema, dict):
            text = schema.get("description")
            if isinstance(text, str) and (CONTEXT, text.replace("%", "%%")) not in told:
                yield text.replace("%", "%%")
            schemas += schema.values()
        elif isinstance(schema, list):
            schemas += schema


def _keep(found, area, texts):
    shapes = {FILLED.sub("%", text) for _, text in found.get(area, {})}
    for text in texts:
        bare = FILLED.sub("%", text)
        if SAME.fullmatch(bare) or bare in shapes:
            continue
        shapes.add(bare)
        message = Message(text, context=CONTEXT, flags=("python-format",))
        found.setdefault(area, {}).setdefault((CONTEXT, text), message)


class Reader:
    """Reads the sentences of one file."""

    def __init__(self, tree: ast.Module, package: str) -> None:
        self.tree = tree
        self.package = package
        self.assigned: dict[tuple[ast.AST, str], list[ast.expr]] = {}
        self.within: dict[ast.Name, ast.AST] = {}
        self._look_around(tree, tree)

    def _look_around(self, node, scope):
        inner = node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else scope
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Name):
                self.within[child] = inner
                continue
            if isinstance(child, ast.Assign) and len(child.targets) == 1:
                self._assign(child.targets[0], child.value, inner)
            self._look_around(child, inner)

    def _assign(self, target, value, scope):
        if isinstance(target, ast.Name):
            self.assigned.setdefault((scope, target.id), []).append(value)
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for one, other in zip(target.elts, value.elts, strict=True):
                self._assign(one, other, scope)

    def sentences(self) -> Iterator[str]:
        for node in ast.walk(self.tree):
            for told in self._told(node):
                yield from self._texts(told)

    def _told(self, node) -> Iterator[ast.expr]:
        """The expressions that are said to somebody."""
        if isinstance(node, ast.Call):
            yield from self._told_by_call(node, _called(node))
        elif isinstance(node, ast.AugAssign) and _called_name(node.target).endswith("faults"):
            yield node.value
        elif isinstance(node, ast.Assign):
            name = _called_name(node.targets[0])
            if name.endswith("faults"):
                yield node.value
            elif name in TABLES and isinstance(node.value, ast.Dict):
                yield from (each.elts[-1] if isinstance(each, ast.Tuple) else each for each in node.value.values)
        elif isinstance(node, ast.FunctionDef) and node.name in SPEAKING:
            yield from (each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value)

    def _told_by_call(self, node, name):
        if self.package != READING and (name in ERRORS or name == "ValueError"):
            yield from node.args[:1]
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "hint")
        elif self.package == "console" and name in ("Fault", "_wrong"):
            yield from node.args[1:2]
        elif name in REASONS:
            yield from (node.args[at] for at in REASONS[name] if at < len(node.args))
            yield from (keyword.value for keyword in node.keywords if keyword.arg in ("expected", "found"))
        elif (
            self.package != READING
            and name in ("append", "extend")
            and _called_name(node.func.value).endswith("faults")
        ):
            yield from node.args[:1]

    def _texts(self, node, depth=0) -> Iterator[str]:
        """The sentences that an expression may be, and those that are filled into it."""
        if depth > 4:
            return
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and LETTERS.search(node.value):
                yield node.value.replace("%", "%%")
        elif isinstance(node, ast.JoinedStr):
            if (text := self._template(node)) is not None:
                yield text
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield from self._texts(part.value, depth + 1)
        elif isinstance(node, ast.IfExp):
            yield from self._texts(node.body, depth + 1)
            yield from self._texts(node.orelse, depth + 1)
        elif isinstance(node, ast.BoolOp):
            for part in node.values:
                yield from self._texts(part, depth + 1)
        elif isinstance(node, ast.BinOp):
            yield from self._sum(node, depth)
        elif isinstance(node, ast.List | ast.Tuple):
            for part in node.elts:
                yield from self._texts(part, depth + 1)
        elif isinstance(node, ast.GeneratorExp | ast.ListComp):
            yield from self._texts(node.elt, depth + 1)
        elif isinstance(node, ast.Name):
            for value in self._values_of(node):
                yield from self._texts(value, depth + 1)
        elif isinstance(node, ast.Call) and _called(node) in ("_expected", "Field"):
            yield from (text for part in node.args for text in self._texts(part, depth + 1))

    def _sum(self, node, depth):
        """`"one of " + listed` is a sentence as well, and so is one with an end that it may have."""
        if not isinstance(node.op, ast.Add):
            return
        lefts = list(self._texts(node.left, depth + 1))
        ends = [node.right.body, node.right.orelse] if isinstance(node.right, ast.IfExp) else [node.right]
        for end in ends:
            rest = list(self._texts(end, depth + 1)) or [
                "" if isinstance(end, ast.Constant) else f"%({_name_of(end)})s"
            ]
            yield from (left + right for left in lefts[:1] for right in rest[:1])

    def _values_of(self, node):
        """What a name was given in the same function, or in the file."""
        scope = self.within.get(node, self.tree)
        return self.assigned.get((scope, node.id)) or (
            self.assigned.get((self.tree, node.id), []) if SHOUTED.fullmatch(node.id) else []
        )

    def _template(self, node: ast.JoinedStr) -> str | None:
        pieces, names, literal = [], set(), ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                pieces.append(str(part.value).replace("%", "%%"))
                literal += str(part.value)
                continue
            name = _name_of(part.value)
            while name in names:
                name += "_too"
            names.add(name)
            pieces.append(f"%({name})s")
        return "".join(pieces) if literal.strip() else None


def _called(node: ast.Call) -> str:
    return _called_name(node.func)


def _called_name(node) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _name_of(node) -> str:
    """A name for what an expression fills in: the last one that stands in it."""
    if isinstance(node, ast.Call) and node.args:
        return _name_of(node.args[-1])
    if isinstance(node, ast.Subscript | ast.Starred):
        return _name_of(node.value)
    if isinstance(node, ast.BoolOp):
        return _name_of(node.values[0])
    if isinstance(node, ast.BinOp):
        return _name_of(node.left)
    if isinstance(node, ast.Call):
        return _name_of(node.func)
    return (_called_name(node) or "value").strip("_").lower() or "value"
