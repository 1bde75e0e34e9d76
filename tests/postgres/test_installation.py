"""A whole installation over PostgreSQL: how it begins, what it costs, and what cuts and restarts do to it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from cauce.app import Platform
from cauce.app.verify import verified
from cauce.cli.main import main
from cauce.engines.postgres import PostgresReader, without_password
from cauce.errors import Busy, CauceError, SettingInvalid, StorageBroken
from cauce.model import DECISIONS
from cauce.runner import contents
from cauce.settings import Settings
from cauce.testing.postgres import PrivateServer
from cauce.testing.simulate import SOURCES, River, traffic
from tests.postgres.engines import Pool
from tests.postgres.proxy import Proxy
from tests.postgres.test_log import end_all_sessions

pytestmark = pytest.mark.postgres

PATIENCE_SECONDS = 60.0


def opened(folder: Path, url: str, **settings: Any) -> Platform:
    return Platform.open(Settings({"data": str(folder), "tables": url, **settings}))


def state_of(platform: Platform) -> dict[str, list[Any]]:
    with platform.running() as runner:
        return {name: list(rows) for name, rows in contents(runner, platform.reader).items()}


@contextmanager
def flowing(platform: Platform) -> Iterator[None]:
    """Runs the river in a thread of its own meanwhile; whatever ends it early fails the test."""
    stopping = threading.Event()
    faults: list[BaseException] = []

    def run() -> None:
        try:
            platform.run(stopping.is_set)
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(timeout=PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert faults == []


def wait(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.05)


def calm(question: Callable[[], Any]) -> Any:
    """The answer, None while the server is away."""
    try:
        return question()
    except Busy:
        return None


# --- beginnings ------------------------------------------------------------------------------------------------------


def test_the_whole_of_it(tmp_path: Path, url: str) -> None:
    with opened(tmp_path / "data", url) as platform:
        for source in SOURCES.values():
            platform.sources.add(source)
        platform.log.append(traffic(1, 120, with_garbage=True))
        platform.drain()
        assert platform.status()["adds_up"]
        assert platform.health() | {"runner": False} == platform.health()
        assert [check for check in verified(platform) if not check.good] == []
        position = platform.decide("identity.joined", {"a": "user_id:user-1", "b": "user_id:user-2"}, by="tests")
        assert position
        before = state_of(platform)
        assert platform.replay(apply=True).equal
        assert state_of(platform) == before
        assert [check for check in verified(platform) if not check.good] == []
    for name in ("log.db", "state.db", "control.db"):
        assert not (tmp_path / "data" / name).exists()


def test_several_processes_begin_one_installation(tmp_path: Path, url: str) -> None:
    platforms: list[Platform] = []
    faults: list[BaseException] = []

    def begin() -> None:
        try:
            platforms.append(opened(tmp_path / "data", url))
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    records = platforms[0].log.read(0, records_max=100, bytes_max=10**7)
    assert [record.connector for record in records] == [DECISIONS, DECISIONS], "rules and traits are decided once"
    assert {platform.health()["offset"] for platform in platforms} == {2}
    for platform in platforms:
        platform.close()


def test_another_secret_key_is_refused(tmp_path: Path, url: str) -> None:
    opened(tmp_path / "one", url).close()
    with pytest.raises(StorageBroken, match="secret key"):
        opened(tmp_path / "other", url)


def test_a_later_schema_is_refused(tmp_path: Path, url: str) -> None:
    opened(tmp_path / "data", url).close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("update cauce.installation set version = version + 1")
    with pytest.raises(StorageBroken, match="later"):
        opened(tmp_path / "data", url)


def test_missing_rights_are_said_with_what_to_do(tmp_path: Path, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop role if exists narrow")
        connection.execute("create role narrow login")
    with pytest.raises(StorageBroken, match=r"permission denied.*howto/postgres"):
        opened(tmp_path / "data", url.replace("//cauce@", "//narrow@"))


def test_a_server_that_is_away_is_busy_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(Busy, match=r"cannot be reached.*tries again"):
        opened(tmp_path / "data", "postgresql://cauce@127.0.0.1:1/nowhere")


def test_the_password_is_shown_nowhere(tmp_path: Path) -> None:
    url = "postgresql://cauce:hush@127.0.0.1:1/nowhere?password=hush2&sslmode=prefer"
    settings = Settings({"data": str(tmp_path), "tables": url})
    assert "hush" not in str(settings.as_dict())
    assert "hush" not in without_password(url)
    assert settings.tables == url
    with pytest.raises(Busy) as caught:
        Platform.open(settings)
    assert "hush" not in str(caught.value)
    with pytest.raises(SettingInvalid, match="postgresql://") as refused:
        Settings({"tables": "mysql://root:hush@host/db"})
    assert "hush" not in str(refused.value)


def test_the_command_line_does_not_show_it_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUCE_TABLES", "postgresql://cauce:hush@127.0.0.1:1/nowhere")
    for words in (["settings"], ["settings", "--json"], ["status"]):
        shown = CliRunner().invoke(main, ["--data", str(tmp_path), *words])
        assert "hush" not in shown.output
        assert "hush" not in str(shown.exception)


# --- what it costs ---------------------------------------------------------------------------------------------------


def test_a_batch_costs_round_trips_that_do_not_grow_with_it(pool: Pool, tmp_path: Path) -> None:
    def trips(events: int) -> int:
        entries = traffic(3, events, people=events // 4, with_decisions=False)
        log, tables = pool.engines()
        river = River(entries, log=log, tables=tables, history=tmp_path / str(events))
        runner = river.runner(batch_records=100_000, batch_bytes=2**30)
        before = river.tables.round_trips + log.round_trips  # type: ignore[attr-defined]
        assert runner.run_once() == len(entries)
        after = river.tables.round_trips + log.round_trips  # type: ignore[attr-defined]
        runner.close()
        return int(after - before)

    few, many = trips(40), trips(1_600)
    pool.take_back()
    assert many <= few + 8, f"{few} round trips for 40 events, {many} for 1,600"


# --- cuts and restarts -----------------------------------------------------------------------------------------------


@pytest.mark.postgres
def test_any_cut_costs_a_batch_only(pool: Pool, proxy: Proxy, tmp_path: Path) -> None:
    """The connection is cut after any number of bytes, by either side; what is there in the end is the same."""
    entries = traffic(11, 150, with_garbage=True)
    url = pool.url
    with (
        opened(tmp_path / "data", proxy.url, batch_records=4) as platform,
        opened(tmp_path / "data", url) as bystander,
    ):
        for source in SOURCES.values():
            bystander.sources.add(source)
        chance = random.Random(5)
        with flowing(platform):
            for start in range(0, len(entries), 10):
                bystander.log.append(entries[start : start + 10])
                if chance.random() < 0.5:
                    proxy.cut_after(chance.randrange(20_000))
                else:
                    end_all_sessions(url, "cauce runner")
            end = bystander.log.end()
            wait(lambda: calm(lambda: bystander.health()["offset"]) == end, "the river's end")
        assert bystander.replay().equal
        assert bystander.status()["adds_up"]
        assert [check for check in verified(bystander) if not check.good] == []


@pytest.mark.postgres
@pytest.mark.parametrize("runners", [1, 4])
def test_a_restarted_server_costs_a_batch_only(tmp_path: Path, runners: int) -> None:
    entries = traffic(12, 120)
    with PrivateServer.started() as server, ExitStack() as stack:
        url = server.fresh_database()
        crew = [stack.enter_context(opened(tmp_path / "data", url, batch_records=3)) for _ in range(runners)]
        platform = crew[0]
        for source in SOURCES.values():
            platform.sources.add(source)
        platform.log.append(entries[: len(entries) // 2])
        platform.drain()
        reader_before = platform.quality.balance()
        with ExitStack() as running:
            for each in crew:
                running.enter_context(flowing(each))
            server.restart()
            assert platform.quality.balance() == reader_before
            server.restart()
            assert platform.status()["adds_up"], "a snapshot begins again"
            server.kill()
            with pytest.raises(CauceError):
                platform.log.append(entries[:1])
            with pytest.raises(Busy):
                platform.quality.balance()
            server.start()
            for entry in entries[len(entries) // 2 :]:
                wait(lambda entry=entry: calm(lambda: platform.log.append([entry])) is not None, "an append")
            wait(lambda: calm(lambda: platform.health()["lag_records"]) == 0, "the river's end")
        assert platform.status()["adds_up"]
        assert platform.replay().equal
        assert [check for check in verified(platform) if not check.good] == []


# --- rights ----------------------------------------------------------------------------------------------------------


def test_the_documented_role_is_enough(tmp_path: Path, url: str, postgres_server: PrivateServer) -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto" / "postgres.md").read_text()
    script = page.split("```sql\n", 1)[1].split("```", 1)[0]
    role = f"documented_{tmp_path.name.translate(str.maketrans('', '', '-'))}"[:60]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            script.replace("role cauce", f"role {role}").replace("tion cauce;", f"tion {role};").encode()
        )
        rights = connection.execute(
            "select rolsuper, rolcreatedb, rolcreaterole, has_database_privilege(rolname, current_database(), 'create')"
            " from pg_roles where rolname = %s",
            [role],
        ).fetchall()
        assert rights == [(False, False, False, False)]
    narrow = url.replace("//cauce@", f"//{role}@")
    with opened(tmp_path / "data", narrow) as platform, opened(tmp_path / "data", narrow) as other:
        for source in SOURCES.values():
            platform.sources.add(source)
        platform.log.append(traffic(2, 40))
        platform.drain()
        assert platform.replay(apply=True).equal
        other.decide("person.erased", {"identifiers": ["user_id:user-1"]}, by="tests")
        assert other.replay().equal


def test_many_questions_of_one_shape_cost_one_trip(pool: Pool) -> None:
    database = pool.database()
    reader = PostgresReader(pool.url, database.state)
    before = reader.round_trips
    found = reader.select_each("select ? + 1", [(number,) for number in range(50)])
    assert found == [[(number + 1,)] for number in range(50)]
    assert reader.round_trips - before <= 3
    with reader.snapshot():
        before = reader.round_trips
        assert reader.select_each("select ?", [(1,), (2,)]) == [[(1,)], [(2,)]]
        assert reader.round_trips - before == 1
    reader.close()
