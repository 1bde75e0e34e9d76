"""The process that the storm kills: many clients of one store, each with one command in flight.

    python -m cauce.testing.storm.victim PLACE SEED CLIENTS

It prints a line of JSON for every answer that a client has got: the command's key and sort, what it was answered, and
whether that was a repetition. What it printed was acknowledged. PLACE is a folder, or the URL of a PostgreSQL schema
as `storm.opened` reads it.
"""

from __future__ import annotations

import asyncio
import random
import sys

import msgspec

from cauce.commerce.parts import ACTIONS, SHAPES
from cauce.commerce.transact.carrier import Command, remembered
from cauce.commerce.transact.writer import Writer, now_microseconds
from cauce.errors import CauceError, Conflict
from cauce.testing.storm.draws import Draws, opening
from cauce.testing.storm.engines import opened


class Acknowledged(msgspec.Struct, frozen=True):
    """What a client was told. `answer` is what the store should know, "" for an answer that nobody remembers."""

    key: str
    sort: str
    answer: str
    code: str = ""


async def client(writer: Writer, draws: Draws) -> None:
    while True:
        command = draws.next()
        try:
            answer = await writer.ask(command)
        except CauceError as refused:
            answer = refused
        draws.learn(command, answer)
        tell(command, answer)


def tell(command: Command, answer: object) -> None:
    is_kept = not isinstance(answer, CauceError) or (
        # A key that was used for something else is refused, and the first answer stays.
        isinstance(answer, Conflict) and "was used for another command" not in str(answer)
    )
    said = remembered(answer) if is_kept else ""
    code = answer.code if isinstance(answer, CauceError) else ""
    told = Acknowledged(command.key, type(command).__name__, said, code)
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


async def run(place: str, seed: int, clients: int) -> None:
    writer = Writer(opened(place), ACTIONS, SHAPES)
    chance = random.Random(seed)  # noqa: S311 - a simulation's dice
    for command in opening(0):
        tell(command, await writer.ask(command))
    seeds = [chance.random() for _ in range(clients)]
    draws = [Draws(f"{seed}-{number}", each, now_microseconds()) for number, each in enumerate(seeds)]
    await asyncio.gather(*(client(writer, each) for each in draws))


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
