"""What the server writes for an answer leaves in one piece, in its order, and nothing is held back at the end."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cauce.http.together import BYTES_MAX, Together


class Recorder:
    """A transport that records what is done with it."""

    def __init__(self) -> None:
        self.done: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def close(self) -> None:
        self.done.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.done

    def get_extra_info(self, name: str) -> str:
        return f"its {name}"


def over(*writes: bytes, closes: bool = False) -> list[bytes | str]:
    """What a transport sees of the writes of one turn, and of an end after them."""
    below: Any = Recorder()

    async def turn() -> None:
        transport = Together(below, asyncio.get_running_loop())
        for data in writes:
            transport.write(data)
        if closes:
            transport.close()
        await asyncio.sleep(0)

    asyncio.run(turn())
    return list(below.done)


def test_head_and_body_are_one_write():
    assert over(b"HTTP/1.1 200 OK\r\n\r\n", b"body") == [b"HTTP/1.1 200 OK\r\n\r\nbody"]


def test_what_was_written_leaves_before_the_end():
    assert over(b"head", b"body", closes=True) == [b"headbody", "closed"]


def test_much_is_written_at_once_so_that_whoever_sends_it_is_slowed_down():
    piece = b"x" * (BYTES_MAX + 1)
    assert over(b"head", piece, b"more", piece) == [b"head" + piece, b"more" + piece]


@given(st.lists(st.binary(max_size=BYTES_MAX // 4), max_size=12), st.booleans())
def test_nothing_is_lost_or_out_of_order(writes, closes):
    seen = over(*writes, closes=closes)
    assert b"".join(part for part in seen if isinstance(part, bytes)) == b"".join(writes)


def test_all_else_is_the_transports_own():
    async def named() -> str:
        below: Any = Recorder()
        return str(Together(below, asyncio.get_running_loop()).get_extra_info("peername"))

    assert asyncio.run(named()) == "its peername"
