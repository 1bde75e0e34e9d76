"""Commands as people meet them, over a small world: what they say, where they say it, and how they end."""

from __future__ import annotations

import gc
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cauce.app import Platform
from cauce.cli.main import main
from cauce.cli.up import first_sign_in, set_aside
from cauce.errors import NotFound
from cauce.settings import Settings
from cauce.testing.world import World
from tests.house.pages import commands


def fill(folder):
    """The synthetic retailer with 60 people and 10 days."""
    world = World(people=60, seed=7, days=10, start="2026-03-01")
    with Platform.open(Settings({"data": str(folder)})) as platform:
        for source in world.sources():
            platform.sources.add(source)
        for batch in world.batches(events_per_batch=50):
            platform.append(batch.source, "tracking", [batch.encode()])
        platform.drain()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands") / "data"
    fill(folder)
    return folder


def call(data, *words, status=0, text=None):
    result = CliRunner().invoke(main, ["--data", str(data), *words], input=text)
    assert result.exit_code == status, f"{result.output}{result.exception!r}"
    return result


def say(data, *words, **options):
    return call(data, *words, **options).stdout


def answer(data, *words, **options):
    return json.loads(say(data, *words, "--json", **options))


def refused(data, *words, status=1):
    """What a command says when it refuses; nothing of it stands where results stand."""
    result = call(data, *words, status=status)
    assert result.stdout == ""
    return result.stderr


@pytest.fixture(scope="module")
def person(data):
    """The profile of the person with most identifiers."""
    return answer(data, "people", "show", answer(data, "identity", "clusters", "--limit", "1")[0]["person"])


def names(person):
    return [f"{one['kind']}:{one['value']}" for one in person["identifiers"]]


def test_people_show_tells_everything_and_cuts_nothing(data, person):
    text = say(data, "people", "show", names(person)[0])
    assert person["id"] in text
    for one in person["identifiers"]:
        assert one["value"] in text
    for trait in ("orders_count", "favourite_category_viewed"):
        assert trait in text
    assert "…" not in text


def test_people_show_as_of(data, person):
    assert answer(data, "people", "show", person["id"], "--as-of", "2999-01-01")["events"] == person["events"]
    assert "not_found" in refused(data, "people", "show", person["id"], "--as-of", "2020-01-01")
    assert "ISO date" in refused(data, "people", "show", person["id"], "--as-of", "soon")


def test_people_timeline_pages(data, person):
    first = answer(data, "people", "timeline", person["id"], "--limit", "3")
    second = answer(data, "people", "timeline", person["id"], "--limit", "3", "--cursor", first["cursor"])
    assert [event["occurred"] for event in first["events"] + second["events"]] == sorted(
        (event["occurred"] for event in first["events"] + second["events"]), reverse=True
    )
    assert not {event["id"] for event in first["events"]} & {event["id"] for event in second["events"]}
    text = say(data, "people", "timeline", person["id"], "--limit", "3")
    assert f"--cursor {first['cursor']}" in text
    assert first["events"][0]["channel"] in text
    assert "a cursor" in refused(
        data, "people", "timeline", person["id"], "--cursor", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTksMQ"
    )


@pytest.mark.parametrize("command", [("people", "show"), ("people", "timeline"), ("people", "erase", "--yes")])
def test_nobody_is_refused_by_name(data, command):
    assert "nobody is known by 'email:nobody@tienda.es'" in refused(data, *command, "email:nobody@tienda.es")


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["statsu"], "status"),
        (["people", "shwo"], "show"),
        (["identity", "spilt"], "split"),
        (["traits", "lst"], "list"),
    ],
)
def test_unknown_commands_name_the_nearest(data, words, nearest):
    assert f"Did you mean '{nearest}'?" in refused(data, *words, status=2)


def test_status_shows_the_count_that_adds_up(data):
    found = answer(data, "status")
    assert found["adds_up"] is True
    totals = found["totals"]
    assert (
        totals["received"] == sum(totals[fate] for fate in ("stored", "quarantined", "duplicate", "suppressed")) > 100
    )
    text = say(data, "status")
    assert f"{totals['received']:,}" in text
    assert f"{found['people']:,} people" in text


def test_status_fits_into_80_columns(data):
    # In a process of its own: the width of a window is read at start.
    done = subprocess.run(
        [sys.executable, "-m", "cauce", "--data", str(data), "status"],
        env={"COLUMNS": "80", "PATH": "/usr/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert max(map(len, done.stdout.splitlines())) <= 80
    for word in ("quarantined", "suppressed", "call_center"):
        assert word in done.stdout


def test_explain_split_and_unsplit(data):
    key = answer(data, "identity", "clusters", "--limit", "2")[1]["person"]
    one, other = names(answer(data, "people", "show", key))[:2]
    before = answer(data, "identity", "explain", one, other)
    assert before["same"] is True
    assert before["hops"]
    assert f"named {before['hops'][0]['evidence']['a']}" in " ".join(
        say(data, "identity", "explain", one, other).split()
    )
    split = answer(data, "identity", "split", one, other, "--why", "mother and daughter")
    assert split["a"] != split["b"]
    assert "not one person" in say(data, "identity", "explain", one, other)
    assert "mother and daughter" in say(data, "identity", "decisions")
    assert "now one person" in say(data, "identity", "unsplit", one, other, "--why", "they are one")
    assert answer(data, "people", "show", one)["events"] == answer(data, "people", "show", other)["events"]


def test_join_and_unjoin(data):
    clusters = answer(data, "identity", "clusters", "--limit", "6")
    one, other = clusters[4]["person"], clusters[5]["person"]
    first, second = (names(answer(data, "people", "show", key))[0] for key in (one, other))
    assert "now one person" in say(data, "identity", "join", first, second, "--why", "she said so")
    assert answer(data, "people", "show", one)["id"] == answer(data, "people", "show", other)["id"]
    assert "now two people" in say(data, "identity", "unjoin", first, second, "--why", "a mistake")


def test_decisions_that_would_do_nothing_never_enter_the_log(data, person):
    key = names(person)[0]
    end = answer(data, "status")["log_end"]
    assert "nobody is known" in refused(data, "identity", "join", key, "email:typo@tienda.es", "--why", "x")
    assert "twice" in refused(data, "identity", "split", key, key, "--why", "x")
    assert "usable identifier" in refused(data, "identity", "split", key, "nokind", "--why", "x")
    assert "nobody is known" in refused(data, "traits", "set", "email:typo@tienda.es", "phone", "1", "--why", "x")
    assert "orders_count" in refused(data, "traits", "remove", "orders_cuont")
    call(data, "identity", "split", key, names(person)[1], status=2)  # no reason given
    assert answer(data, "status")["log_end"] == end


def test_identity_lists(data):
    assert yaml_of(say(data, "identity", "rules"))["kinds"]
    for command in ("queue", "shared", "decisions"):
        assert isinstance(answer(data, "identity", command), list)
        assert say(data, "identity", command).strip()


def yaml_of(text):
    import yaml  # noqa: PLC0415 only here

    return yaml.safe_load(text)


def test_dry_run_changes_nothing(data, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text(say(data, "identity", "rules").replace("limit: 5", "limit: 1"), encoding="utf-8")
    people = answer(data, "status")["people"]
    report = answer(data, "identity", "dry-run", str(rules))
    assert report["people_before"] == people < report["people_after"]
    assert "would merge 0 people, would split" in say(data, "identity", "dry-run", str(rules))
    assert answer(data, "status")["people"] == people
    rules.write_text("kinds: 3", encoding="utf-8")
    assert "definition_invalid" in refused(data, "identity", "dry-run", str(rules))


def test_traits_apply_list_and_remove(data, person, tmp_path):
    file = tmp_path / "traits.yaml"
    file.write_text("traits: [{name: all_events, compute: count}]", encoding="utf-8")
    assert "applied: all_events" in say(data, "traits", "apply", str(file))
    assert answer(data, "people", "show", person["id"])["computed"]["all_events"] == person["events"]
    assert "all_events" in say(data, "traits", "list")
    assert "removed: all_events" in say(data, "traits", "remove", "all_events")
    assert "all_events" not in {trait["name"] for trait in answer(data, "traits", "list")}
    for wrong in ("traits: [{name: x, compute: median}]", "traits: [", "- 1"):
        file.write_text(wrong, encoding="utf-8")
        assert "definition_invalid" in refused(data, "traits", "apply", str(file))


def test_a_stewards_word_is_taken_as_written(data, person):
    say(data, "traits", "set", names(person)[0], "phone", "+34600000001", "--why", "she called")
    trait = answer(data, "people", "show", person["id"])["traits"]["phone"]
    assert (trait["value"], trait["rule"]) == ("+34600000001", "steward")
    assert trait["why"].endswith("she called")
    say(data, "traits", "set", names(person)[0], "phone", "null", "--why", "it was another's")
    assert answer(data, "people", "show", person["id"])["traits"].get("phone", {}).get("rule") != "steward"


def test_verify_proves_everything(data):
    checks = answer(data, "verify")
    assert len(checks) == 6
    assert all(check["differences"] == [] and check["compared"] > 0 for check in checks)
    result = call(data, "verify")
    assert result.stdout.count("✓") == 6
    assert " s" in result.stderr  # progress does not stand among the results


def test_replay_finds_the_same_state_and_can_take_its_place(tmp_path):
    folder = tmp_path / "data"
    fill(folder)
    report = answer(folder, "replay")
    assert report["equal"] is True
    assert {table["name"] for table in report["tables"]} >= {"identifier", "link", "timeline", "event"}
    before = answer(folder, "status")
    applied = call(folder, "replay", "--apply")
    assert "equal" in applied.stdout
    assert "not equal" not in applied.stdout
    assert "rebuilding" not in applied.stdout
    after = answer(folder, "status")
    assert {**after, "lag_records": 0} == {**before, "lag_records": 0}
    assert answer(folder, "replay")["equal"] is True


def test_erase_asks_first_and_leaves_nobody(tmp_path):
    folder = tmp_path / "data"
    fill(folder)
    key = answer(folder, "identity", "clusters", "--limit", "1")[0]["person"]
    (name, *_) = names(answer(folder, "people", "show", key))
    assert "Aborted" in call(folder, "people", "erase", name, text="n\n", status=1).stderr
    assert answer(folder, "people", "show", name)["id"] == key
    assert answer(folder, "people", "erase", name, "--yes")["person"] == key
    assert "nobody is known" in refused(folder, "people", "show", name)


def test_settings_show_value_and_variable(data):
    rows = {row["name"]: row for row in answer(data, "settings")}
    assert rows["data"]["value"] == str(data)
    assert "CAUCE_REQUEST_EVENTS_MAX" in say(data, "settings")
    assert "setting_invalid" in call_with(data, {"CAUCE_PORT": "many"}, "settings").stderr


def call_with(data, variables, *words):
    result = CliRunner().invoke(main, ["--data", str(data), *words], env=variables)
    assert result.exit_code == 1
    return result


def test_the_first_start_makes_a_link_until_there_is_an_owner(tmp_path):
    with Platform.open(tmp_path / "data") as platform:
        started = "http://127.0.0.1:1/sign-in/link?key="
        old = first_sign_in(platform, "http://127.0.0.1:1")["sign_in"].removeprefix(started)
        link = first_sign_in(platform, "http://127.0.0.1:1")["sign_in"].removeprefix(started)
        with pytest.raises(NotFound, match="used"):
            platform.access.accounts.accept(old, "zapatos rojos 42", name="ana")
        assert platform.access.accounts.accept(link, "zapatos rojos 42", name="ana").role == "owner"
        assert first_sign_in(platform, "http://127.0.0.1:1") == {}


def test_the_collector_does_not_look_through_what_was_loaded_while_it_is_served():
    loaded = ["loaded"]
    assert any(one is loaded for one in gc.get_objects())
    with set_aside():
        assert not any(one is loaded for one in gc.get_objects())
    assert any(one is loaded for one in gc.get_objects())


@pytest.mark.parametrize(
    ("path", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_has_help(path, command):
    result = CliRunner().invoke(main, [*path.split()[1:], "--help"])
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")
    assert command.help
