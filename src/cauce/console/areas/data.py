"""Data: questions in SQL over everything that is stored, with a grid, a chart, and files to take away."""

from __future__ import annotations

import re
import secrets
from hashlib import blake2b
from typing import Any

from cauce.app.questions import Answer as Asked
from cauce.app.questions import owner_of
from cauce.console.areas import data_parts as parts
from cauce.console.areas.data_words import EXAMPLES, VIEWS
from cauce.console.frame import Answer, Area, Led, Page, Sent, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import CauceError, DefinitionInvalid
from cauce.events.queries import STATEMENT_CHARACTERS_MAX, Query
from cauce.events.sql import place_of
from cauce.http.problems import status_of

NAME = "data"
SQL = "data.sql"

PAGE_ROWS = 100
ROWS_MAX = 10_000
FILE_ROWS_MAX = 1_000_000
SECONDS_MAX = 30.0
FILE_SECONDS_MAX = 120.0
_RUN = re.compile(r"[0-9a-f]{16}")


def page(visit: Visit) -> Answer:
    """The editor, with a saved statement or an example in it."""
    statement = EXAMPLES[0][1]
    if wanted := visit.query.get("query", ""):
        statement = visit.platform.questions.queries.get(owner_of(visit.actor), _whole(wanted)).statement
    elif wanted := visit.query.get("example", ""):
        statement = EXAMPLES[min(_whole(wanted), len(EXAMPLES) - 1)][1]
    return _values(visit, statement)


def run(visit: Visit) -> Answer:
    """The editor with the answer to its statement; for htmx the answer alone."""
    statement = _statement(visit)
    template = "data/answer.html" if visit.asked.is_partial else "data/page.html"
    try:
        answer = visit.platform.questions.ask(
            owner_of(visit.actor),
            statement,
            personal=visit.may("people.personal"),
            run=_run(visit),
            rows_max=ROWS_MAX,
            seconds=SECONDS_MAX,
        )
    except CauceError as fault:
        visit.note("sql.refused", _fingerprint(statement), code=fault.code)
        told = {**_values(visit, statement), "fault": _fault(visit, fault, statement)}
        # A partial that htmx swaps in must come as a good answer; the page itself says what it is.
        return Shown(template, told, 200 if visit.asked.is_partial else status_of(fault))
    visit.note(
        "sql.asked", _fingerprint(statement), rows=answer.result.table.num_rows, masked=answer.masked,
        milliseconds=int(1_000 * answer.seconds),
    )  # fmt: skip
    visit.platform.questions.queries.remember(owner_of(visit.actor), statement)
    return Shown(template, {**_values(visit, statement), "answer": _answer(visit, answer, 1)})


def result(visit: Visit) -> Answer:
    """Another page, or another chart, of an answer that was given before."""
    answer = visit.platform.questions.again(owner_of(visit.actor), visit.path["key"])
    values = {
        **_values(visit, answer.statement),
        "answer": _answer(visit, answer, _whole(visit.query.get("page", "1"))),
    }
    return Shown("data/answer.html" if visit.asked.is_partial else "data/page.html", values)


def stop(visit: Visit) -> Answer:
    """Ends a statement that runs."""
    stopped = visit.platform.questions.stop(owner_of(visit.actor), _run(visit))
    return {"stopped": stopped}


def download(visit: Visit) -> Answer:
    """The whole answer to a statement as a file."""
    statement, kind = _statement(visit), visit.form.get("kind", "csv")
    if kind not in parts.FILES:
        raise DefinitionInvalid(f"expected a file to be one of {', '.join(parts.FILES)}, got {kind!r}")
    answer = visit.platform.questions.ask(
        owner_of(visit.actor),
        statement,
        personal=visit.may("people.personal"),
        rows_max=FILE_ROWS_MAX,
        seconds=FILE_SECONDS_MAX,
        keep=False,
    )
    visit.note("sql.downloaded", _fingerprint(statement), rows=answer.result.table.num_rows, masked=answer.masked)
    write, media = parts.FILES[kind]
    return Sent(write(answer.result.table), media, f"cauce-{_fingerprint(statement)[2:10]}.{kind}")


def save(visit: Visit) -> Answer:
    """Keeps a statement under a name."""
    query = visit.platform.questions.queries.save(owner_of(visit.actor), visit.form.get("name", ""), _statement(visit))
    return Led(f"/data?query={query.id}", visit.say("Saved as “%(name)s”.", name=query.name))


def forget(visit: Visit) -> Answer:
    """Forgets a statement."""
    visit.platform.questions.queries.delete(owner_of(visit.actor), _whole(visit.form.get("query", "")))
    return Led("/data", visit.say("Deleted."))


# -- parts ------------------------------------------------------------------------------------------------------


def _values(visit: Visit, statement: str) -> dict[str, Any]:
    """The values of the page around an answer."""
    if visit.asked.is_partial:
        return {"statement": statement, "answer": None, "fault": None, "run": secrets.token_hex(8)}
    queries = visit.platform.questions.queries
    owner = owner_of(visit.actor)
    return {
        "statement": statement,
        "run": secrets.token_hex(8),
        "answer": None,
        "fault": None,
        "masked": not visit.may("people.personal"),
        "views": [
            {
                "name": name,
                "what": visit.say(what),
                "columns": [(column, kind, visit.say(text)) for column, kind, text in columns],
            }
            for name, (what, columns) in VIEWS.items()
        ],
        "examples": [(at, visit.say(title)) for at, (title, _) in enumerate(EXAMPLES)],
        "saved": [_query(query) for query in queries.saved(owner)],
        "recent": [_query(query) for query in queries.recent(owner)],
        "seconds_max": SECONDS_MAX,
        "rows_max": ROWS_MAX,
    }


def _answer(visit: Visit, answer: Asked, number: int) -> dict[str, Any]:
    """An answer as the grid shows it: one page of rows, and a chart when there can be one."""
    table, words = answer.result.table, visit.words
    pages = max(1, -(-table.num_rows // PAGE_ROWS))
    number = min(max(number, 1), pages)
    return {
        "key": answer.key,
        "statement": answer.statement,
        "columns": parts.columns_of(table, words),
        "rows": parts.rows_of(table, (number - 1) * PAGE_ROWS, PAGE_ROWS, words),
        "count": table.num_rows,
        "truncated": answer.result.truncated,
        "seconds": answer.seconds,
        "masked": answer.masked,
        "page": number,
        "pages": pages,
        "first": (number - 1) * PAGE_ROWS,
        "chart": _chart(visit, answer),
    }


def _chart(visit: Visit, answer: Asked) -> dict[str, Any] | None:
    """The chart that was chosen, or the one that suggests itself."""
    table = answer.result.table
    suggested = parts.charted(table)
    if suggested is None or not table.num_rows:
        return None
    chosen = dict(suggested)
    if "kind" in visit.query:
        chosen = {
            "kind": visit.query["kind"], "x": visit.query.get("x", ""),
            "y": [name for name in visit.query.getlist("y") if name], "split": visit.query.get("split", ""),
        }  # fmt: skip
    numbers = [column.name for column in parts.columns_of(table, visit.words) if column.is_number]
    values = {
        "kinds": [(code, visit.say(text)) for code, text in parts.KINDS.items()],
        "chosen": chosen,
        "numbers": numbers,
        "names": list(table.column_names),
        "drawing": "",
        "legend": [],
        "fault": "",
        "points_max": parts.POINTS_MAX,
        "is_cut": table.num_rows > parts.POINTS_MAX,
    }
    try:
        values["drawing"] = parts.chart(table, chosen["kind"], chosen["x"], chosen["y"], chosen["split"], visit.words)
        values["legend"] = parts.legend(table, chosen["y"], chosen["split"])
    except DefinitionInvalid as fault:
        values["fault"] = visit.said(fault.message)
    return values


def _fault(visit: Visit, fault: CauceError, statement: str) -> dict[str, Any]:
    """An error of a statement: what it says, where, and the line it points at."""
    message = fault.message.split("\n\nLINE ")[0]
    place = place_of(fault.message, statement)
    told: dict[str, Any] = {
        "message": visit.said(message), "hint": visit.said(fault.hint), "code": fault.code, "line": 0, "column": 0,
    }  # fmt: skip
    if place is not None:
        line, column = place
        text = (statement.splitlines() or [""])[min(line, len(statement.splitlines())) - 1]
        told |= {"line": line, "column": column, "text": text, "caret": " " * (min(column, len(text) + 1) - 1) + "^"}
    return told


def _query(query: Query) -> dict[str, Any]:
    return {
        "id": query.id,
        "name": query.name or " ".join(query.statement.split())[:90],
        "statement": query.statement,
        "asked": query.asked,
    }


def _statement(visit: Visit) -> str:
    statement = visit.form.get("statement", "").strip().rstrip(";").rstrip()
    if not 1 <= len(statement) <= STATEMENT_CHARACTERS_MAX:
        raise DefinitionInvalid(
            visit.say("Expected a statement of at most %(most)s characters.", most=STATEMENT_CHARACTERS_MAX)
        )
    return statement.replace("\r\n", "\n")


def _run(visit: Visit) -> str:
    """The name of this run, which the page made up so that it can be stopped."""
    run = visit.form.get("run", "")
    return run if _RUN.fullmatch(run) else secrets.token_hex(8)


def _fingerprint(statement: str) -> str:
    """What stands for a statement in the audit trail: it may hold somebody's address."""
    return "q_" + blake2b(statement.encode(), digest_size=8).hexdigest()


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise DefinitionInvalid(f"expected a whole number, got {text[:40]!r}")
    return int(text)


AREA = Area(
    title=marked("Data"),
    home="/data",
    permission=SQL,
    icon="data",
    place=68,
    pages=(
        Page("/data", page, "data/page.html"),
        Page("/data/run", run, method="POST"),
        Page("/data/results/{key}", result),
        Page("/data/stop", stop, "data/stopped.html", method="POST"),
        Page("/data/download", download, method="POST"),
        Page("/data/save", save, method="POST"),
        Page("/data/forget", forget, method="POST"),
    ),
)
