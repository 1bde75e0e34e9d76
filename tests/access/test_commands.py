"""`cauce users`, `cauce tokens`, `cauce audit`."""

from __future__ import annotations

import json
import shutil

import argon2.profiles
import pytest
from click.testing import CliRunner

from cauce.app import Platform
from cauce.cli.main import main
from cauce.settings import Settings
from tests.access.house import OTHER, PASSWORD


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Argon2 as weak as it goes: what it should be is tried in test_accounts."""
    monkeypatch.setattr(argon2.profiles, "RFC_9106_LOW_MEMORY", argon2.profiles.CHEAPEST)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands") / "data"
    Platform.open(Settings({"data": str(folder)})).close()
    return folder


class Shell:
    """Calls commands on one data folder."""

    def __init__(self, folder):
        self.folder = folder

    def told(self, *words):
        """What a command says as JSON."""
        result = CliRunner().invoke(main, ["--data", str(self.folder), *words, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    def said(self, *words, code=0):
        """What a command says to people."""
        result = CliRunner().invoke(main, ["--data", str(self.folder), *words])
        assert result.exit_code == code, result.output
        return result.output


@pytest.fixture
def shell(tmp_path, template):
    shutil.copytree(template, tmp_path / "data")
    return Shell(tmp_path / "data")


def test_people_are_invited_changed_and_disabled(shell):
    added = shell.told("users", "add", "Ana", "--role", "analyst", "--allow", "people.personal")
    assert (added["name"], added["role"], added["can_sign_in"]) == ("ana", "analyst", False)
    assert "people.personal" in added["permissions"]
    with Platform.open(shell.folder) as platform:
        platform.access.accounts.accept(added["link"].partition("key=")[2], PASSWORD)
        platform.access.accounts.add("root", "owner", password=OTHER)
        platform.access.sign_in("ana", PASSWORD)
        platform.access.sign_in("ana", PASSWORD)
    assert len(shell.told("users", "sessions", "ana")) == 2
    assert "ana" in shell.said("users", "sessions")
    first = shell.told("users", "sessions", "ana")[0]["id"]
    assert shell.told("users", "sign-out", "ana", "--session", first)["ended"] == 1
    assert shell.told("users", "sign-out", "ana")["ended"] == 1
    assert shell.said("users", "sessions").strip() == "Nobody is signed in."
    assert shell.told("users", "role", "ana", "steward")["extra"] == []
    assert shell.told("users", "disable", "ana")["disabled"]
    assert "disabled" in shell.said("users", "list")
    assert "conflict" in shell.said("users", "invite", "ana", code=1)
    assert shell.told("users", "enable", "ana")["disabled"] is None
    assert "sign-in/link?key=" in shell.said("users", "invite", "ana")
    assert "last owner" in shell.said("users", "disable", "root", code=1)
    assert "Did you mean 'ana'" in shell.said("users", "role", "anna", "agent", code=1)
    assert "already" in shell.said("users", "add", "ana", "--role", "agent", code=1)
    assert shell.said("users", "add", "x", "--role", "king", code=2)


def test_nobody_yet_says_what_to_do(shell):
    assert "cauce users add" in shell.said("users", "list")
    assert "cauce tokens add" in shell.said("tokens", "list")


def test_tokens_are_made_listed_and_revoked(shell):
    shell.told("users", "add", "ana", "--role", "agent")
    made = shell.told("tokens", "add", "till", "--scope", "people.read", "--days", "0")
    assert made["token"].startswith("cauce_")
    assert (made["account"], made["expires"], made["scopes"]) == ("", None, ["people.read"])
    hers = shell.told("tokens", "add", "phone", "--scope", "agent", "--account", "ana")
    assert (hers["account"], hers["expires"] is None) == ("ana", False)
    assert "may not give" in shell.said("tokens", "add", "x", "--scope", "owner", "--account", "ana", code=1)
    assert "expected a scope" in shell.said("tokens", "add", "x", "--scope", "people", code=1)
    assert [token["name"] for token in shell.told("tokens", "list", "--account", "ana")] == ["phone"]
    with Platform.open(shell.folder) as platform:
        assert platform.access.by_token(made["token"]).name == "till"
    shown = shell.said("tokens", "list")
    assert made["token"] not in shown
    assert f"…{made['hint']}" in shown
    assert shell.told("tokens", "revoke", "till")["revoked"]
    assert [token["name"] for token in shell.told("tokens", "list")] == ["phone"]
    assert len(shell.told("tokens", "list", "--all")) == 2
    assert "no living token" in shell.said("tokens", "revoke", "till", code=1)


def test_the_trail_is_told_with_filters_and_pages(shell):
    for name in ("a", "b", "c"):
        shell.told("tokens", "add", name, "--scope", "people.read")
    page = shell.told("audit", "--action", "token", "--limit", "2")
    assert [entry["subject"] for entry in page["entries"]] == ["c", "b"]
    rest = shell.told("audit", "--action", "token", "--limit", "2", "--cursor", str(page["cursor"]))
    assert ([entry["subject"] for entry in rest["entries"]], rest["cursor"]) == (["a"], 0)
    assert page["entries"][0]["kind"] == "command"
    assert "token.added" in shell.said("audit")
    assert "no such entries" in shell.said("audit", "--before", "2000-01-01")
    assert "expected after to be an ISO date" in shell.said("audit", "--after", "yesterday", code=1)
