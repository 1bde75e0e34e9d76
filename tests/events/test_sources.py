from __future__ import annotations

import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cauce.access.api import Audit, Control
from cauce.cli.main import main
from cauce.engines.sqlite import SqliteTables
from cauce.errors import Conflict, DefinitionInvalid, NotFound, StorageBroken
from cauce.events import sources as module
from cauce.events.sources import KEY_CHARACTERS
from cauce.model import Source


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Sources(module.Sources):
    """Sources over a file of their own."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.control = Control(SqliteTables(path), clock=clock or time.monotonic)
        self.audit = Audit(self.control)
        super().__init__(self.control, self.audit)

    def close(self) -> None:
        self.audit.close()
        self.control.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.db"


def test_key_opens_its_source_and_is_kept_nowhere(path: Path) -> None:
    sources = Sources(path)
    web = Source("web", "web", user_id_kind="crm_id", shared_device=True)
    key = sources.add(web, by="ana")
    assert len(key) == KEY_CHARACTERS
    assert key.isalnum()
    assert sources.authenticate(key) == web
    assert sources.get("web") == web
    assert sources.list() == [web]
    assert [known.hint for known in sources.keys("web")] == [key[-4:]]
    sources.close()
    assert all(key.encode() not in file.read_bytes() for file in path.parent.iterdir())
    again = Sources(path)
    assert again.authenticate(key) == web
    again.close()


@pytest.mark.parametrize("key", ["", "x", "0" * 27, "ñ", "\ud800"])
def test_unknown_key_opens_nothing(path: Path, key: str) -> None:
    sources = Sources(path)
    sources.add(Source("web", "web"))
    assert sources.authenticate(key) is None
    sources.close()


def test_rotation_keeps_the_old_key_until_it_is_revoked(path: Path) -> None:
    sources = Sources(path)
    old = sources.add(Source("web", "web"))
    new = sources.rotate("web", by="ana")
    assert sources.authenticate(old) == sources.authenticate(new) == Source("web", "web")
    sources.revoke("web", old[-4:], by="ana")
    assert sources.authenticate(old) is None
    assert sources.authenticate(new) is not None
    with pytest.raises(NotFound, match="no living key"):
        sources.revoke("web", old[-4:])
    entries = sources.audit.entries().entries
    assert [entry.action for entry in entries] == ["source.key_revoked", "source.key_added", "source.added"]
    assert [entry.actor for entry in entries] == ["ana", "ana", ""]
    assert entries[0].details == {"key": f"…{old[-4:]}"}
    sources.close()


def test_disabled_source_is_refused_and_enabled_again(path: Path) -> None:
    sources = Sources(path)
    key = sources.add(Source("web", "web"))
    assert not sources.disable("web").enabled
    assert sources.authenticate(key) is None
    assert sources.get("web").enabled is False
    sources.enable("web")
    assert sources.authenticate(key) is not None
    assert sources.change("web", mode="observe", by="ana").mode == "observe"
    sources.close()


def test_another_process_sees_a_change_within_a_second(path: Path) -> None:
    clock = Clock()
    door, shell = Sources(path, clock=clock), Sources(path)
    key = shell.add(Source("web", "web"))
    assert door.authenticate(key) is None
    clock.now = 1.0
    assert door.authenticate(key) is not None
    shell.revoke("web", key[-4:])
    assert door.authenticate(key) is not None
    clock.now = 2.0
    assert door.authenticate(key) is None
    door.close()
    shell.close()


@pytest.mark.parametrize("name", ["", "Web", "a b", "cauce", "é", "-a", "a" * 64, "a/b", "a\n"])
def test_name_must_be_one(path: Path, name: str) -> None:
    sources = Sources(path)
    with pytest.raises(DefinitionInvalid, match="expected a name"):
        sources.add(Source(name, "web"))
    assert sources.list() == []
    sources.close()


@pytest.mark.parametrize(
    "source",
    [
        Source("web", ""),
        Source("web", "web", mode="ignore"),
        Source("web", "web", region="Spain"),
        Source("web", "web", user_id_kind="User Id"),
    ],
)
def test_values_must_make_sense(path: Path, source: Source) -> None:
    sources = Sources(path)
    with pytest.raises(DefinitionInvalid, match="expected"):
        sources.add(source)
    sources.close()


def test_name_is_taken_once(path: Path) -> None:
    sources = Sources(path)
    key = sources.add(Source("web", "web"))
    with pytest.raises(Conflict, match="already"):
        sources.add(Source("web", "app"))
    assert sources.authenticate(key) == Source("web", "web")
    with pytest.raises(NotFound, match="Did you mean 'web'"):
        sources.get("wb")
    sources.close()


def test_threads_share_one_object(path: Path) -> None:
    sources = Sources(path)
    keys: list[str] = []

    def work(number: int) -> None:
        key = sources.add(Source(f"source-{number}", "web"))
        keys.append(key)
        for _ in range(20):
            assert sources.authenticate(key) is not None
            sources.list()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 4
    assert len(sources.list()) == 4
    sources.close()


def test_what_is_no_database_is_said_so(path: Path) -> None:
    path.write_bytes(b"this is no database, and long enough to be read as one" * 40)
    with pytest.raises(StorageBroken, match=r"control\.db"):
        Sources(path)


def test_failed_change_leaves_nothing(path: Path) -> None:
    sources, other = Sources(path), sqlite3.connect(path, isolation_level=None)
    key = sources.add(Source("web", "web"))
    other.execute("create trigger deny before insert on access_audit begin select raise(abort, 'full'); end")
    with pytest.raises(StorageBroken, match="full"):
        sources.rotate("web")
    other.execute("drop trigger deny")
    assert len(sources.keys("web")) == 1
    assert sources.authenticate(key) is not None
    sources.rotate("web")
    other.close()
    sources.close()


def told(folder: Path, *words: str) -> Any:
    """What a command says as JSON."""
    result = CliRunner().invoke(main, ["--data", str(folder), *words, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_commands_make_show_and_revoke_keys(tmp_path: Path) -> None:
    added = told(tmp_path, "sources", "add", "till-1", "--channel", "store", "--shared-device", "--region", "PT")
    assert added["source"]["shared_device"] is True
    assert all(added["key"] in text for text in added["snippets"].values())
    rotated = told(tmp_path, "sources", "rotate", "till-1")["key"]
    assert told(tmp_path, "sources", "revoke", "till-1", added["key"])["revoked"] == added["key"][-4:]
    shown = told(tmp_path, "sources", "show", "till-1")
    assert {key["hint"]: key["revoked"] is None for key in shown["keys"]} == {
        added["key"][-4:]: False, rotated[-4:]: True,
    }  # fmt: skip
    assert told(tmp_path, "sources", "change", "till-1", "--disable")["enabled"] is False
    assert [source["name"] for source in told(tmp_path, "sources", "list")] == ["till-1"]
    entries = told(tmp_path, "audit", "--action", "source")["entries"]
    assert [entry["action"] for entry in entries] == [
        "source.changed", "source.key_revoked", "source.key_added", "source.added",
    ]  # fmt: skip
    text = CliRunner().invoke(main, ["--data", str(tmp_path), "sources", "list"])
    assert "till-1" in text.output
    wrong = CliRunner().invoke(main, ["--data", str(tmp_path), "sources", "show", "till-2"])
    assert wrong.exit_code == 1
