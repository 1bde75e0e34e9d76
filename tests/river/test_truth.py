"""The synthetic world through the whole river, held against what is true: counts, people, limits, conservation."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from cauce.app import Platform, decoder
from cauce.app.verify import verified
from cauce.cli.imports import import_
from cauce.identity.api import Member, Rules
from cauce.identity.evidence import Resolver
from cauce.identity.partition import UnionFind
from cauce.model import Identifier, Record
from cauce.settings import Settings
from cauce.testing.world import World, score, write_files

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "retail_world"
FILES = ("crm_customers.csv", "loyalty_members.jsonl", "store_receipts.csv", "call_log.tsv")
PRECISION_MIN = 0.99
REACHED_MIN = 0.97
"""Share of the pairs that evidence connects; the rest are on devices and cards that a whole household uses."""
pytestmark = [pytest.mark.xdist_group("truth"), pytest.mark.soak]


@pytest.fixture(scope="module")
def world() -> World:
    return World(people=300, seed=7, days=20)


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that has received the whole world."""
    folder = tmp_path_factory.mktemp("truth") / "data"
    with Platform.open(Settings({"data": str(folder), "history_rows": 1_500})) as platform:
        for source in world.sources():
            platform.sources.add(source)
        platform.log.append([(batch.source, "tracking", batch.sent, batch.encode()) for batch in world.batches(50)])
        platform.drain()
    return folder


@pytest.fixture
def platform(folder: Path) -> Iterator[Platform]:
    with Platform.open(Settings({"data": str(folder)})) as platform:
        yield platform


def people_of(platform: Platform) -> dict[int, list[Member]]:
    """Everybody, by id."""
    ids = sorted({person for _, person, _ in platform.people.placements()})
    return {id: list(platform.people.members(id)) for id in ids}


def found_by(platform: Platform) -> Any:
    def find(kind: str, value: str) -> int | None:
        person = platform.people.find(kind, value)
        return None if person is None else person.id

    return find


def test_counts_are_exactly_those_that_were_sent(world: World, platform: Platform) -> None:
    expected = world.expected()
    rows = {row.source: row for row in platform.quality.balance()}
    assert all(row.adds_up for row in rows.values())
    for fate in ("received", "stored", "duplicate", "quarantined"):
        wanted = {source: count for source, count in getattr(expected, fate).items() if count}
        assert {source: getattr(row, fate) for source, row in rows.items() if getattr(row, fate)} == wanted, fate
    assert min(expected.quarantined.total(), expected.duplicate.total(), expected.late, expected.wrong_clock) > 0


def test_people_are_who_they_are(world: World, platform: Platform) -> None:
    found = score(world.truth.identifiers(), found_by(platform))
    assert found.identifiers > 500
    assert found.precision >= PRECISION_MIN
    assert found.right >= REACHED_MIN * pairs_within_evidence(world)


def pairs_within_evidence(world: World) -> int:
    """Pairs of personal identifiers of one person that some chain of stored events names together."""
    resolver = Resolver(Rules.default(), b"any", {source.name: source for source in world.sources()}.get)
    owners: dict[int, int] = {}
    for known in world.truth.identifiers():
        if known.status == "personal":
            owners[resolver.identify(Identifier(known.kind, known.value), "web")] = known.person
    sets = UnionFind()
    seen: set[int] = set()
    decode = decoder({source.name: source for source in world.sources()}.get, b"any")
    for number, batch in enumerate(world.batches(50), start=1):
        record = Record(number, batch.source, "tracking", batch.sent, batch.encode())
        for item, truth in zip(decode(record), batch.truth, strict=True):
            if item.event is None or truth.fate != "stored":
                continue
            ids = [id for id in resolver.resolve(item.event.identifiers, batch.source).ids if id in owners]
            seen.update(ids)
            for id in ids[1:]:
                if owners[id] == owners[ids[0]]:
                    sets.union(ids[0], id)
    sizes = Counter(sets.root(id) for id in seen)
    return sum(size * (size - 1) // 2 for size in sizes.values())


def test_a_family_on_one_browser_stays_several_people(world: World, platform: Platform) -> None:
    owner = {
        (known.kind, known.value): known
        for known in world.truth.identifiers()
        if known.kind == "user_id" and known.status == "personal"
    }
    find = found_by(platform)
    by_person: dict[int, set[int]] = defaultdict(set)
    households: dict[int, set[int]] = defaultdict(set)
    for (kind, value), known in owner.items():
        person = find(kind, value)
        if person is not None:
            by_person[person].add(known.person)
            households[known.household].add(person)
    assert all(len(people) == 1 for people in by_person.values())
    assert any(len(people) > 1 for people in households.values())
    shared = [
        person
        for known in world.truth.identifiers()
        if known.status == "household" and known.kind == "anonymous_id"
        and (person := platform.people.find(known.kind, known.value)) is not None
    ]  # fmt: skip
    for person in shared:
        kinds = Counter(member.kind for member in person.identifiers)
        assert kinds["user_id"] <= 1


def test_a_store_tablet_and_a_till_merge_nobody(world: World, platform: Platform) -> None:
    devices = [known for known in world.truth.identifiers() if known.status == "device"]
    found = [person for known in devices if (person := platform.people.find(known.kind, known.value)) is not None]
    assert found
    assert all(len(person.identifiers) == 1 and person.identifiers[0].shared for person in found)


def test_junk_names_nobody(world: World, platform: Platform) -> None:
    junk = [known for known in world.truth.identifiers() if known.status == "blocked"]
    assert junk
    assert all(platform.people.find(known.kind, known.value) is None for known in junk)


def test_nobody_exceeds_the_limits(platform: Platform) -> None:
    rules = platform.people.rules
    for members in people_of(platform).values():
        counts = Counter(member.kind for member in members)
        for name, count in counts.items():
            kind = rules.kind(name)
            if kind.limit and not kind.window_days:
                assert count <= kind.limit, members
            if kind.unique:
                assert count == 1, members


def test_live_equals_bulk_and_replay_equals_the_state(platform: Platform) -> None:
    assert [check for check in verified(platform) if not check.good] == []
    report = platform.replay()
    assert [table for table in report.tables if not table.equal] == []
    assert sum(table.rows for table in report.tables) > 10_000


def totals(platform: Platform) -> tuple[int, Decimal, int]:
    """(events, revenue, purchases) of everybody together."""
    profiles = [platform.profiles.profile(id, now=2**50) for id in people_of(platform)]
    computed = [profile.computed for profile in profiles]
    revenue = sum((Decimal(str(each["revenue_total"] or 0)) for each in computed), Decimal())
    return sum(profile.events for profile in profiles), revenue, sum(each["orders_count"] or 0 for each in computed)


def test_stewards_move_events_and_money_and_lose_none(folder: Path, world: World, tmp_path: Path) -> None:
    with Platform.open(Settings({"data": str(tmp_path)})) as platform:
        for source in world.sources():
            platform.sources.add(source)
        platform.log.append([(batch.source, "tracking", batch.sent, batch.encode()) for batch in world.batches(50)])
        platform.drain()
        before = totals(platform)
        assert before[1] > 0
        owned = sum(1 for chunk in platform.archive.scan() for one in chunk if one.subject)
        assert before[0] == owned
        largest = [id for id, _ in platform.people.clusters(6)]
        members = {id: platform.people.members(id) for id in largest}
        for one, other in zip(largest[::2], largest[1::2], strict=True):
            pair = {"a": str(members[one][0]), "b": str(members[other][0]), "why": "test"}
            platform.decide("identity.joined", pair, "steward")
        assert totals(platform) == before
        for one, other in zip(largest[::2], largest[1::2], strict=True):
            pair = {"a": str(members[one][0]), "b": str(members[other][0]), "why": "test"}
            platform.decide("identity.unjoined", pair, "steward")
        assert {id: platform.people.members(id) for id in largest} == members
        for one in largest:
            pair = {"a": str(members[one][0]), "b": str(members[one][-1]), "why": "test"}
            platform.decide("identity.refused", pair, "steward")
            assert platform.people.locate(pair["a"]).id != platform.people.locate(pair["b"]).id
        assert totals(platform) == before


@pytest.fixture(scope="module")
def imported(world: World, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """An installation into which `cauce import` has read the legacy files too, and their rows by file name."""
    legacy = tmp_path_factory.mktemp("legacy")
    rows = write_files(world, legacy)
    home = legacy / "data"
    shutil.copytree(folder, home)
    for name in FILES:
        mapping = EXAMPLES / f"{name.partition('.')[0]}.yaml"
        with patch.dict("os.environ", {"CAUCE_DATA": str(home)}):
            result = CliRunner().invoke(
                import_, [str(legacy / name), "--mapping", str(mapping), "--json"], catch_exceptions=False
            )
        assert result.exit_code == 0, result.output
    return home, rows


def everybody(world: World) -> range:
    return range(world.people.count)


def test_legacy_files_join_the_same_people(world: World, imported: tuple[Path, dict[str, int]]) -> None:
    home, sent = imported
    with Platform.open(Settings({"data": str(home)})) as platform:
        rows = {row.source: row for row in platform.quality.balance()}
        assert (rows["crm_file"].stored, rows["crm_file"].quarantined) == (sent["crm_customers.csv"], 0)
        assert rows["loyalty_file"].stored == sent["loyalty_members.jsonl"]
        assert rows["call_file"].stored == sent["call_log.tsv"]
        assert rows["till_file"].quarantined == 0 < rows["till_file"].stored <= sent["store_receipts.csv"]
        find = found_by(platform)
        # A household that shares one card is one member of the programme to the file: nothing tells its people apart.
        sharing = {person for person in everybody(world) if world.people.person(person).loyalty_is_shared}
        others = [known for known in world.truth.identifiers() if known.person not in sharing]
        assert score(others, find).precision >= PRECISION_MIN
        by_card, by_phone, by_email = Counter[bool](), Counter[bool](), Counter[bool]()
        for index in everybody(world):
            person = world.people.person(index)
            if index in sharing:
                continue
            if person.loyalty:
                by_phone[find("loyalty", person.loyalty) == find("phone", person.mobile)] += 1
                if person.email and not person.email_is_shared and person.number % 4:
                    by_card[find("loyalty", person.loyalty) == find("email", person.email)] += 1
            typed = world.people.typed_email(person, "crm")
            if person.crm_id and person.email and person.email == typed and not person.email_is_shared:
                by_email[find("crm_id", person.crm_id) == find("email", person.email)] += 1
        for found in (by_card, by_phone, by_email):
            assert found[True] > 50
            assert found[False] <= 0.02 * found[True]
        assert [check for check in verified(platform) if not check.good] == []
