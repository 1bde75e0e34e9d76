from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cauce.access.api import Audit, Control
from cauce.cli.main import main
from cauce.engines.sqlite import SqliteTables
from cauce.errors import DefinitionInvalid, NotFound
from cauce.events.connections import EVENT_BYTES_MAX, LIVING_MAX
from cauce.events.sources import Sources
from cauce.model import Source

SECRET = "shpss_0123456789abcdef0123456789abcdef"


class House:
    """Sources over a file, opened once or by several processes."""

    def __init__(self, path: Path) -> None:
        self.control = Control(SqliteTables(path))
        self.audit = Audit(self.control)
        self.sources = Sources(self.control, self.audit)
        self.connections = self.sources.connections

    def close(self) -> None:
        self.audit.close()
        self.control.close()


@pytest.fixture
def house(tmp_path: Path) -> Any:
    found = House(tmp_path / "control.db")
    found.sources.add(Source("shop", "web"))
    yield found
    found.close()


def test_a_secret_opens_for_its_system_and_is_never_shown(house: House) -> None:
    found = house.connections.add_secret("shop", "shopify", f" {SECRET}\n", by="ana")
    assert found.hint == hashlib.sha256(SECRET.encode()).hexdigest()[:8]
    lock = house.connections.lock("shop", "shopify")
    assert lock is not None
    assert (lock.source.name, lock.secrets) == ("shop", (SECRET.encode(),))
    assert house.connections.lock("shop", "stripe") is None
    assert house.connections.lock("shap", "shopify") is None
    assert house.connections.secrets("shop") == [found]
    entries = house.audit.entries().entries
    (entry,) = [one for one in entries if one.action == "source.secret_added"]
    assert entry.details == {"connector": "shopify", "purpose": "signing", "secret": found.hint}
    assert SECRET not in repr([found, entries, lock])


def test_several_hold_until_they_are_revoked_and_then_they_are_gone(house: House, tmp_path: Path) -> None:
    one = house.connections.add_secret("shop", "shopify", SECRET)
    two = house.connections.add_secret("shop", "shopify", SECRET[::-1])
    again = house.connections.add_secret("shop", "shopify", SECRET)
    assert again.hint == one.hint
    assert len(house.connections.secrets("shop")) == 2
    lock = house.connections.lock("shop", "shopify")
    assert lock is not None
    assert set(lock.secrets) == {SECRET.encode(), SECRET[::-1].encode()}
    house.connections.revoke_secret("shop", one.hint, by="ana")
    lock = house.connections.lock("shop", "shopify")
    assert lock is not None
    assert lock.secrets == (SECRET[::-1].encode(),)
    assert [known.revoked is None for known in house.connections.secrets("shop")] == [False, True]
    assert house.control.select("select secret from source_secret where hint = ?", one.hint) == [(b"",)]
    with pytest.raises(NotFound, match=two.hint):
        house.connections.revoke_secret("shop", one.hint)
    house.connections.revoke_secret("shop", two.hint)
    assert house.connections.lock("shop", "shopify") is None


def test_a_forgotten_secret_is_in_no_file(tmp_path: Path) -> None:
    house = House(tmp_path / "control.db")
    house.sources.add(Source("shop", "web"))
    found = house.connections.add_secret("shop", "shopify", SECRET)
    house.connections.revoke_secret("shop", found.hint)
    house.close()
    assert all(SECRET.encode() not in file.read_bytes() for file in tmp_path.iterdir())


def test_another_process_sees_a_change(house: House, tmp_path: Path) -> None:
    other = House(tmp_path / "control.db")
    house.connections.add_secret("shop", "shopify", SECRET)
    other.connections._watch.reload()
    assert other.connections.lock("shop", "shopify") is not None
    other.close()


def test_a_source_gets_room_for_orders_and_keeps_what_it_was_given(house: House) -> None:
    house.sources.add(Source("small", "web", event_bytes_max=5_000))
    for name in ("shop", "small"):
        house.connections.add_secret(name, "shopify", SECRET)
    assert house.sources.get("shop").event_bytes_max == EVENT_BYTES_MAX
    assert house.sources.get("small").event_bytes_max == 5_000
    house.sources.add(Source("asked", "web"))
    house.connections.add_secret("asked", "shopify", SECRET, purpose="api")
    assert house.sources.get("asked").event_bytes_max == 0


@pytest.mark.parametrize("secret", ["", "short", "with blanks in it and long", "x" * 513, "ñ" * 20, "a\x00" * 20])
def test_what_is_no_secret_is_refused_without_repeating_it(house: House, secret: str) -> None:
    with pytest.raises(DefinitionInvalid) as fault:
        house.connections.add_secret("shop", "shopify", secret)
    assert not secret or secret not in str(fault.value)
    assert house.connections.secrets("shop") == []


@pytest.mark.parametrize(("connector", "purpose"), [("Shopify!", "signing"), ("shopify", "both"), ("", "api")])
def test_what_it_is_for_must_make_sense(house: House, connector: str, purpose: str) -> None:
    with pytest.raises(DefinitionInvalid):
        house.connections.add_secret("shop", connector, SECRET, purpose=purpose)
    with pytest.raises(NotFound):
        house.connections.add_secret("shap", "shopify", SECRET)


def test_there_are_not_too_many(house: House) -> None:
    for number in range(LIVING_MAX):
        house.connections.add_secret("shop", "shopify", f"{SECRET}{number}")
    with pytest.raises(DefinitionInvalid, match="Revoke"):
        house.connections.add_secret("shop", "shopify", f"{SECRET}more")
    house.connections.add_secret("shop", "stripe", SECRET)


def test_the_newest_credential_is_used(house: House) -> None:
    with pytest.raises(NotFound, match="--purpose api"):
        house.connections.credential("shop", "stripe")
    first = house.connections.add_secret("shop", "stripe", "rk_live_0123456789", purpose="api")
    house.connections.add_secret("shop", "stripe", "rk_live_abcdefghij", purpose="api")
    assert house.connections.credential("shop", "stripe") == "rk_live_abcdefghij"
    assert house.connections.lock("shop", "stripe") is None, "what asks does not sign"
    house.connections.revoke_secret("shop", first.hint)


@pytest.mark.parametrize(
    "url",
    ["http://shop.example", "ftp://shop.example", "https://", "https://ana:secret@shop.example", "shop.example",
     "https://shop example", "https://[shop", "https://shop.example:x", "javascript:alert(1)", "https://" + "a" * 600],
)  # fmt: skip
def test_addresses_are_https(house: House, url: str) -> None:
    for field in ("public_url", "api_url"):
        with pytest.raises(DefinitionInvalid, match=field):
            house.connections.connect("shop", "square", **{field: url})
    assert house.connections.connections("shop") == []


def test_addresses_are_kept_one_by_one(house: House) -> None:
    connections = house.connections
    connections.connect("shop", "square", public_url="https://cauce.example.com/v1/channels/square/shop", by="ana")
    connections.connect("shop", "square", api_url="http://127.0.0.1:8080")
    found = connections.connection("shop", "square")
    assert (found.public_url[:27], found.api_url) == ("https://cauce.example.com/v", "http://127.0.0.1:8080")
    connections.mark("shop", "square", 5)
    connections.mark("shop", "square", 3)
    assert connections.connect("shop", "square", public_url="").public_url == ""
    assert connections.connection("shop", "square").reconciled == 5
    with pytest.raises(NotFound):
        connections.connect("shap", "square", public_url="https://a.example")


# -- at the command line ----------------------------------------------------------------------------------------------


def cauce(folder: Path, *words: str, given: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(main, ["--data", str(folder), *words], input=given)
    return result.exit_code, result.output


def test_a_secret_is_taken_from_standard_input_or_a_file_and_forgotten(tmp_path: Path) -> None:
    folder, file = tmp_path / "data", tmp_path / "secret"
    file.write_text("whsec_0123456789abcdef\n")
    assert cauce(folder, "sources", "add", "shop", "--channel", "web")[0] == 0
    code, said = cauce(folder, "sources", "secret", "shop", "--for", "shopify", given=SECRET + "\n")
    assert code == 0, said
    assert "/v1/channels/shopify/shop" in said
    code, said = cauce(folder, "sources", "secret", "shop", "--for", "stripe", "--file", str(file), "--json")
    assert code == 0, said
    hint = json.loads(said)["hint"]
    code, said = cauce(folder, "sources", "connect", "shop", "square", "--public-url", "https://cauce.example.com/x")
    assert code == 0, said
    code, said = cauce(folder, "sources", "show", "shop")
    assert hint in said
    assert "https://cauce.example.com/x" in said
    assert SECRET not in said
    assert "whsec_" not in said
    assert cauce(folder, "sources", "forget", "shop", hint)[0] == 0
    code, said = cauce(folder, "sources", "forget", "shop", hint)
    assert (code, "not_found" in said) == (1, True)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    cauce(folder, "sources", "add", "shop", "--channel", "web")
    code, said = cauce(folder, "sources", "secret", "shop", "--for", "shopfy", given=SECRET)
    assert code == 1
    assert "shopify" in said
    code, said = cauce(folder, "sources", "secret", "shop", "--for", "shopify", given="short")
    assert code == 1
    assert "16–512" in said
    code, said = cauce(folder, "reconcile", "shop")
    assert code == 1
    assert "--purpose api" in said
    cauce(folder, "sources", "secret", "shop", "--for", "shopify", "--purpose", "api", given=SECRET)
    code, said = cauce(folder, "reconcile", "shop", "--with", "stripe")
    assert code == 1
    assert "--for stripe --purpose api" in said
    code, said = cauce(folder, "reconcile", "--with", "shopfy")
    assert code == 1
    assert "shopify" in said
    code, said = cauce(folder, "reconcile", "shop", "--with", "shopify", "--since", "soon")
    assert code == 2
    code, said = cauce(folder, "reconcile", "shop", "--with", "shopify")
    assert (code, "--api-url" in said) == (1, True)
