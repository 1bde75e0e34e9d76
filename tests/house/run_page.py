"""Runs the examples of one page of documentation, in order, in the folder it is started in.

`python` blocks share one namespace; `bash run` blocks share the folder. The first that fails ends it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```\s*$", re.M | re.S)


class Block(NamedTuple):
    """A fenced block: its language, the words after it, its text, and the line it begins in."""

    language: str
    words: str
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(page):
        language, _, words = match["info"].strip().partition(" ")
        text = re.sub(rf"^{match['indent']}", "", match["body"], flags=re.M)
        found.append(Block(language, words.strip(), text, page[: match.start()].count("\n") + 2))
    return found


def runnable(block: Block) -> bool:
    """A `python` block unless it says `notest: why`; a `bash` block that says `run`."""
    if block.language == "python":
        return not block.words.startswith("notest")
    return block.language == "bash" and block.words.startswith("run")


def main(page: Path) -> None:
    space: dict[str, object] = {"__name__": "__page__"}
    for block in filter(runnable, blocks(page.read_text(encoding="utf-8"))):
        if block.language == "python":
            # Empty lines in front make a traceback show the line of the page.
            code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
            exec(code, space)
        else:
            status = subprocess.run(["bash", "-euo", "pipefail", "-c", block.text], check=False).returncode
            if status:
                sys.exit(f"{page.name}:{block.line}: ended with status {status}:\n{block.text}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
