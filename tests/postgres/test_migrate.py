"""From files to PostgreSQL: everything arrives, whatever interrupts it, and neither side is used by mistake."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from cauce.app import Platform
from cauce.app.migrate import MigrationReport, migrate
from cauce.app.storage import MOVED
from cauce.app.verify import verified
from cauce.cli.main import main
from cauce.commerce.proof import broken
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.commerce.stock.reserving import Confirm, Line, Reserve
from cauce.engines.postgres import Copier
from cauce.engines.sqlite import SqliteReader, SqliteTables
from cauce.errors import CauceError, Conflict, DefinitionInvalid, Locked, NotFound, StorageBroken
from cauce.settings import Settings
from cauce.testing.simulate import SOURCES, traffic
from tests.postgres.proxy import Proxy
from tests.postgres.test_installation import opened, state_of

pytestmark = pytest.mark.postgres


def embedded(folder: Path, seed: int = 21, events: int = 150) -> dict[str, list[Any]]:
    """An installation in files, with everything that one has; what its state says."""
    with Platform.open(Settings({"data": str(folder), "history_rows": 40, "batch_records": 7})) as platform:
        for source in SOURCES.values():
            platform.sources.add(source)
        platform.access.accounts.add("ana", "steward", password="correct horse battery", by="tests")
        platform.commerce.do(Receive(lines=(Entry("jacket", "s1", 5_000),)))
        platform.commerce.do(Reserve(key="r", lines=(Line("jacket", "s1", 2_000),), seconds=86_400))
        platform.log.append(traffic(seed, events, with_garbage=True))
        platform.drain()
        platform.decide("person.erased", {"identifiers": ["user_id:user-3"], "suppress": True}, by="tests")
        with platform.running() as runner:
            archive: Any = runner.stages[-1]
            for entry in traffic(seed + 1, 60 if events >= 100 else 0, with_decisions=False):
                platform.log.append([entry])
                runner.run_once()
                archive.wait()  # the next commit lists the file that was being made
        assert platform.reader.select("select count(*) from history_file")[0][0] > 0 or events < 100
        return state_of(platform)


def moved(folder: Path, url: str) -> MigrationReport:
    return migrate(Settings({"data": str(folder)}), url, lambda _what, _done, _total: None)


def test_everything_arrives_and_goes_on(tmp_path: Path, url: str) -> None:
    folder = tmp_path / "data"
    before = embedded(folder)
    report = moved(folder, url)
    assert report.equal, [table for table in report.tables if not table.equal]
    names = {table.name for table in report.tables}
    assert {"log", "history", "state.pulse", "state.timeline", "control.sources", "control.account"} <= names
    assert {"commerce.transfer", "commerce.hold", "commerce.command"} <= names
    with opened(folder, url, history_rows=40) as platform:
        assert state_of(platform) == before
        assert {source.name for source in platform.sources.list()} == set(SOURCES)
        assert platform.access.accounts.get("ana").role == "steward"
        assert [check for check in verified(platform) if not check.good] == []
        repeated = platform.commerce.do(Reserve(key="r", lines=(Line("jacket", "s1", 2_000),), seconds=86_400))
        assert platform.commerce.do(Confirm(reservation=repeated.id)).state == "confirmed"
        assert broken(platform.commerce.reader, platform.commerce.now) == []
        first = platform.log.append(traffic(22, 40, with_decisions=False))
        assert first == report.records + 1
        platform.drain()
        assert platform.status()["adds_up"]
        assert platform.replay().equal


def test_the_files_are_not_used_by_mistake(tmp_path: Path, url: str) -> None:
    folder = tmp_path / "data"
    embedded(folder, events=30)
    moved(folder, url)
    with pytest.raises(StorageBroken, match=r"moved to postgresql://127\.0\.0\.1") as caught:
        Platform.open(folder)
    assert "CAUCE_TABLES" in caught.value.hint
    (folder / MOVED).unlink()
    Platform.open(folder).close()


@pytest.mark.postgres
def test_an_interrupted_migration_goes_on(tmp_path: Path, url: str) -> None:
    folder = tmp_path / "data"
    embedded(folder)
    with Proxy(url) as proxy:
        size_bytes, refused = 20_000, 0
        while True:
            proxy.cut_after(size_bytes)
            try:
                report = moved(folder, proxy.url)
                break
            except CauceError:
                refused += 1
                size_bytes *= 2
                with pytest.raises(CauceError):
                    opened(folder, url)
        proxy.cut_after(10**9)
    assert refused
    assert report.equal
    assert report.resumed_records > 0
    with opened(folder, url) as platform:
        assert platform.replay().equal


def test_a_difference_is_found_and_nobody_gets_in(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    embedded(folder, events=40)
    with psycopg.connect(url, autocommit=True) as connection:
        done = Copier.analyse

        def falsified(self: Copier) -> None:
            done(self)
            connection.execute("update cauce_state.quality_count set count = count + 1 where source = 'web'")
            connection.execute("update cauce.log set body = body || 'x' where at = 3")

        monkeypatch.setattr(Copier, "analyse", falsified)
        report = moved(folder, url)
        assert {table.name for table in report.tables if not table.equal} == {"log", "state.quality_count"}
        assert not (folder / MOVED).exists()
        with pytest.raises(StorageBroken, match="has not arrived"):
            opened(folder, url)


@pytest.mark.postgres
def test_a_lost_history_file_is_found(tmp_path: Path, url: str) -> None:
    folder = tmp_path / "data"
    embedded(folder)
    with closing(SqliteReader(folder / "state.db")) as reader:
        ((path,),) = reader.select("select path from history_file limit 1")
    (folder / "history" / path).unlink()
    report = moved(folder, url)
    assert [table.name for table in report.tables if not table.equal] == ["history"]


@pytest.mark.postgres
def test_a_target_that_is_in_use_is_refused(tmp_path: Path, url: str) -> None:
    embedded(tmp_path / "data", events=20)
    opened(tmp_path / "other", url).close()
    with pytest.raises(StorageBroken, match="secret key"):
        moved(tmp_path / "data", url)
    (tmp_path / "other" / "secret.key").chmod(0o600)
    (tmp_path / "other" / "secret.key").write_bytes((tmp_path / "data" / "secret.key").read_bytes())
    with psycopg.connect(url, autocommit=True) as connection:
        for schema in ("cauce", "cauce_state", "cauce_control", "cauce_commerce", "cauce_replay"):
            connection.execute(f"drop schema {schema} cascade".encode())
    opened(tmp_path / "other", url).close()
    with pytest.raises(Conflict, match="holds an installation already"):
        moved(tmp_path / "data", url)


@pytest.mark.postgres
def test_a_running_source_is_left_alone(tmp_path: Path, url: str) -> None:
    folder = tmp_path / "data"
    embedded(folder, events=20)
    with Platform.open(folder) as platform, platform.running(), pytest.raises(Locked):
        moved(folder, url)
    with closing(SqliteTables(folder / "control.db")) as tables, tables.transaction(), pytest.raises(Locked):
        moved(folder, url)
    with Platform.open(folder) as platform:
        platform.log.append(traffic(5, 5))
    with pytest.raises(Conflict, match="catch up"):
        moved(folder, url)


def test_what_cannot_be_migrated_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no embedded installation"):
        moved(tmp_path / "none", "postgresql://somewhere/x")
    embedded(tmp_path / "data", events=5)
    with pytest.raises(DefinitionInvalid, match="postgresql://"):
        moved(tmp_path / "data", "mysql://somewhere/x")


def test_the_command(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded(tmp_path / "data", events=30)
    words = ["--data", str(tmp_path / "data"), "migrate"]
    nowhere = CliRunner().invoke(main, words)
    assert nowhere.exit_code == 1
    monkeypatch.setenv("CAUCE_TABLES", url)
    done = CliRunner().invoke(main, [*words, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["equal"]
    counted = CliRunner().invoke(main, ["--data", str(tmp_path / "data"), "status", "--json"])
    assert json.loads(counted.stdout)["adds_up"]
