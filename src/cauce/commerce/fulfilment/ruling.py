"""The sourcing rules as they change: each version stays, the last one is in force."""

from __future__ import annotations

import msgspec

from cauce.commerce.fulfilment.rules.definition import as_document, read_rules
from cauce.commerce.fulfilment.sourcing import Within, in_force
from cauce.commerce.fulfilment.store import RULES, RulesRow
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.errors import Conflict

WHY_CHARACTERS_MAX = 2_000


class ApplyRules(Command, frozen=True, kw_only=True):
    """Puts rules in force: `document` is YAML or JSON text. `seen` is the version that was changed, -1 for any."""

    document: str
    by: str
    why: str = ""
    seen: int = -1


class Applied(msgspec.Struct, frozen=True):
    """The version that is in force now."""

    version: int
    rules: int


def apply_rules(work: Work, command: ApplyRules) -> Applied:
    """DefinitionInvalid names every fault; Conflict when somebody else has changed the rules since."""
    rules = read_rules(command.document)
    present = in_force(Within(work)).version
    if command.seen not in (-1, present):
        raise Conflict(
            f"the sourcing rules are at version {present}, and version {command.seen} was changed",
            hint="Look at what changed, and change that",
        )
    document = msgspec.json.encode(as_document(rules)).decode()
    why = command.why[:WHY_CHARACTERS_MAX]
    row = work.append(RULES, RulesRow(work.number("sourcing_rules"), work.now, command.by, why, document))
    return Applied(row.version, len(rules))


ACTIONS = (Action(ApplyRules, apply_rules, Applied),)
