"""The storm without processes: the same commands in batches of any size over any engine, with a clock of its own."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from cauce.commerce.parts import ACTIONS, CHORES, SHAPES
from cauce.commerce.proof import broken
from cauce.commerce.stock.reserving import Reserve, Reserved
from cauce.commerce.transact.carrier import Carrier, Command, remembered
from cauce.engines.api import Tables
from cauce.errors import CauceError, Conflict, StorageBroken
from cauce.testing.storm.draws import Draws, opening

CLIENTS = 8
BATCH_MAX = 12
SECOND = 1_000_000
START = 1_767_225_600 * SECOND


def faults(tables: Tables, seed: int, commands: int = 1_000) -> list[str]:
    """What went wrong while about so many commands were carried out; empty when all is well."""
    chance = random.Random(seed)  # noqa: S311 - a simulation's dice
    now = START
    carrier = Carrier(tables, ACTIONS, SHAPES, lambda: now)
    carrier.carry_out(opening(seed))
    seeds = [chance.random() for _ in range(CLIENTS)]
    draws = [Draws(f"{seed}-{number}", each, START) for number, each in enumerate(seeds)]
    told: dict[str, str] = {}
    found: list[str] = []
    done = 0
    while done < commands and not found:
        batch = [chance.choice(draws) for _ in range(chance.randint(1, BATCH_MAX))]
        asked = [draw.next() for draw in batch]
        answers = carrier.carry_out(asked)
        for draw, command, answer in zip(batch, asked, answers, strict=True):
            draw.learn(command, answer)
            found += wrong(command, answer, told)
        done += len(asked)
        now += chance.randrange(2 * SECOND)
        if chance.random() < 0.1:
            found += [str(answer) for answer in carrier.carry_out(CHORES) if isinstance(answer, Exception)]
    carrier.carry_out(CHORES)  # sweeps what ran out, so that nothing is late
    found += [f"{one.invariant}: {one.what}" for one in broken(tables, now)]
    return found


def wrong(command: Command, answer: Any, told: dict[str, str]) -> Sequence[str]:
    """What is wrong with an answer; `told` is what each key was told before."""
    name = type(command).__name__
    if isinstance(answer, StorageBroken) or (isinstance(answer, Exception) and not isinstance(answer, CauceError)):
        return [f"{name} {command.key}: {answer!r}"]
    if isinstance(command, Reserve) and isinstance(answer, Reserved):
        wanted = sum(line.amount for line in command.lines)
        held = sum(line.amount for line in answer.lines)
        if wanted != held:
            return [f"{name} {command.key}: {wanted} were asked for and {held} held"]
    if isinstance(answer, CauceError) and (not isinstance(answer, Conflict) or "was used for another" in str(answer)):
        return []
    said = remembered(answer)
    before = told.setdefault(command.key, said)
    return [] if before == said else [f"{name} {command.key}: told {before[:100]}, and now {said[:100]}"]
