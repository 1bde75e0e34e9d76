"""Finding people as they are typed: identifiers in any spelling, names with errors, and nothing of who was erased."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import assume, given
from hypothesis import strategies as st

from cauce.app import Platform
from cauce.cli.main import main
from cauce.errors import Busy, DefinitionInvalid
from cauce.identity.api import text_of
from cauce.model import Source
from cauce.search import rules, store

pytestmark = pytest.mark.soak

PEOPLE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("u-ana", {"email": "ana.garcia@tienda.es", "firstName": "Ana", "lastName": "García López", "phone": "612345678"}),
    ("u-jim", {"email": "begimenez@correo.example", "name": "Begoña Jiménez Vázquez", "loyalty_id": "4012 3456 7890"}),
    ("u-zoe", {"name": "Zoë Müller-Straße", "phone": "+49 30 12345678"}),
    ("U-Case", {"name": "Иван Петров"}),
    ("u-two", {"email": "maria.perez@correo.example", "name": "María Pérez"}),
    ("u-syn", {"name": 'Rob"ert) OR NEAR(* -- DROP', "email": "sintaxis@correo.example"}),
)


def tell(platform: Platform, number: int, source: str = "crm", **call: Any) -> None:
    stamped = {"messageId": f"{source}-{number}", "timestamp": f"2026-03-01T10:{number % 60:02}:00Z", **call}
    platform.append(source, "tracking", [json.dumps({"batch": [stamped]}).encode()])


def filled(folder: Path) -> Platform:
    platform = Platform.open(str(folder))
    for name in ("crm", "web"):
        platform.sources.add(Source(name, name))
    for number, (user, traits) in enumerate(PEOPLE):
        tell(platform, number, type="identify", userId=user, anonymousId=f"browser-{number:012}", traits=traits)
    platform.drain()
    platform.search.refresh()
    return platform


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """An installation that tests only look at."""
    with filled(tmp_path_factory.mktemp("shop")) as platform:
        yield platform


@pytest.fixture
def own_shop(tmp_path: Path) -> Iterator[Platform]:
    with filled(tmp_path / "data") as platform:
        yield platform


def id_of(platform: Platform, user: str) -> str:
    return platform.people.locate(f"user_id:{user}").text


def found(platform: Platform, text: str, **options: Any) -> list[str]:
    return [hit.text for hit in platform.search.find(text, **options).hits]


@pytest.mark.parametrize(
    ("text", "user", "why"),
    [
        ("ana.garcia@tienda.es", "u-ana", "exact"),
        (" ANA.GARCIA@TIENDA.ES ", "u-ana", "exact"),
        ("email:ana.garcia@tienda.es", "u-ana", "exact"),
        ("612345678", "u-ana", "exact"),
        ("+34 612 34 56 78", "u-ana", "exact"),
        ("0034 612-345-678", "u-ana", "exact"),
        ("(612) 34.56.78", "u-ana", "exact"),
        ("4012-3456-7890", "u-jim", "exact"),
        ("browser-000000000002", "u-zoe", "exact"),
        ("U-Case", "U-Case", "exact"),
        ("u-case", "U-Case", "exact"),
        ("61234", "u-ana", "beginning"),
        ("345678", "u-ana", "beginning"),
        ("5678", "u-ana", "beginning"),
        ("401234", "u-jim", "beginning"),
        ("612345679", "u-ana", "similar"),
        ("ana gar", "u-ana", "beginning"),
        ("GARCÍA ANA", "u-ana", "beginning"),
        ("garcia lopez", "u-ana", "beginning"),
        ("ana.garcia@tie", "u-ana", "beginning"),
        ("garsia lopes", "u-ana", "similar"),
        ("Gimenez", "u-jim", "similar"),
        ("begona ximenes basques", "u-jim", "similar"),
        ("bejimenez", "u-jim", "similar"),
        ("sra begoña jimenez", "u-jim", "similar"),
        ("zoe muller strasse", "u-zoe", "beginning"),
        ("иван", "U-Case", "beginning"),
        ("петров иван", "U-Case", "beginning"),
        ('Rob"ert) OR', "u-syn", "beginning"),
        ("near drop", "u-syn", "beginning"),
    ],
)
def test_somebody_is_found(shop: Platform, text: str, user: str, why: str) -> None:
    best = shop.search.find(text).hits[0]
    assert (best.text, best.why) == (id_of(shop, user), why)


def test_a_hit_says_what_matched(shop: Platform) -> None:
    (by_phone,) = shop.search.find("612 34 56 78").hits
    assert (by_phone.kind, by_phone.matched) == ("phone", "+34612345678")
    assert shop.search.find("jimenez vazquez").hits[0].matched == "Begoña Jiménez Vázquez"
    (by_id,) = shop.search.find(id_of(shop, "u-two")).hits
    assert (by_id.kind, by_id.matched) == ("person", id_of(shop, "u-two"))


@pytest.mark.parametrize(
    "text", ["", " ", "a", "*", '"', "()", "-", "~", "@", "nobody at all", "9" * 500, "\x00", "ñ" * 900]
)
def test_nobody_is_found_without_a_fault(shop: Platform, text: str) -> None:
    assert shop.search.find(text).hits == ()


@given(text=st.text(max_size=60))
def test_any_text_may_be_asked(shop: Platform, text: str) -> None:
    shop.search.find(text)


WORDS = {"begona": "u-jim", "vazquez": "u-jim", "begimenez": "u-jim", "garcia": "u-ana", "muller": "u-zoe"}


@given(
    word=st.sampled_from(sorted(WORDS)),
    place=st.integers(0, 8),
    letter=st.sampled_from(string.ascii_lowercase),
    error=st.sampled_from(("change", "insert", "leave out", "swap")),
)
def test_one_typing_error_in_a_word_is_forgiven(shop: Platform, word: str, place: int, letter: str, error: str) -> None:
    place %= len(word)
    before, here, after = word[:place], word[place], word[place + 1 :]
    typed = {
        "change": before + letter + after,
        "insert": before + letter + here + after,
        "leave out": before + after,
        "swap": before + after[:1] + here + after[1:],
    }[error]
    assume(len(typed) > 3 and rules.errors_allowed(typed))
    assert id_of(shop, WORDS[word]) in found(shop, typed), typed


def test_only_what_is_exact_when_asked_so(shop: Platform) -> None:
    assert found(shop, "ana.garcia@tienda.es", exact=True) == [id_of(shop, "u-ana")]
    assert found(shop, id_of(shop, "u-ana"), exact=True) == [id_of(shop, "u-ana")]
    assert found(shop, "ana.garcia@tienda", exact=True) == []
    assert found(shop, "Ana García López", exact=True) == []


def test_pages_follow_one_another(own_shop: Platform) -> None:
    for number in range(30):
        tell(
            own_shop,
            number,
            "web",
            type="identify",
            userId=f"many-{number:02}",
            traits={"name": f"Nadia Ruiz {number}"},
        )
    own_shop.drain()
    whole = found(own_shop, "nadia ruiz", limit=100)
    assert len(set(whole)) == 30
    pages, cursor = [], ""
    while True:
        page = own_shop.search.find("nadia ruiz", 7, cursor)
        pages += [hit.text for hit in page.hits]
        if not (cursor := page.cursor):
            break
    assert pages == whole
    for bad in ("x", "-1", "1" * 20, "١"):
        with pytest.raises(DefinitionInvalid, match="cursor"):
            own_shop.search.find("nadia", cursor=bad)
    with pytest.raises(DefinitionInvalid, match="limit"):
        own_shop.search.find("nadia", 0)


def test_people_are_those_of_now(own_shop: Platform) -> None:
    """A split and a join need no new index: whose an entry is, is asked when it is read."""
    pair = {"a": "user_id:u-two", "b": "user_id:u-ana", "why": "test"}
    own_shop.decide("identity.joined", pair, "tests")
    together = id_of(own_shop, "u-ana")
    assert id_of(own_shop, "u-two") == together
    assert found(own_shop, "maria perez") == found(own_shop, "ana garcia") == [together]
    assert found(own_shop, "garcia perez") == [together], "words of one person may stand in different places"
    own_shop.decide("identity.unjoined", pair, "tests")
    assert found(own_shop, "maria perez") != found(own_shop, "ana garcia lopez")


def test_what_is_told_later_is_found(own_shop: Platform) -> None:
    tell(own_shop, 40, "web", type="identify", userId="u-ana", traits={"lastName": "Fernández"})
    own_shop.decide("trait.set", {"identifier": "user_id:u-two", "trait": "nickname", "value": "Mariuca"}, "tests")
    assert found(own_shop, "ana fernandez") == found(own_shop, "ana garcia lopez") == [id_of(own_shop, "u-ana")]
    assert found(own_shop, "mariuca") == [id_of(own_shop, "u-two")]


def test_what_is_taken_back_is_not_found(own_shop: Platform) -> None:
    tell(own_shop, 41, type="identify", userId="u-jim", traits={"name": None})
    own_shop.drain()
    assert found(own_shop, "begona vazquez") == []
    assert found(own_shop, "begimenez") == [id_of(own_shop, "u-jim")]


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("search.db*"))).lower()


def test_an_erased_person_is_gone_from_the_file(own_shop: Platform) -> None:
    # Somebody else's event named Begoña too: what it told must go as well.
    tell(
        own_shop, 50, "web", type="identify", userId="u-other",
        traits={"name": "Casilda Tremebunda", "email": "begimenez@correo.example"},
    )  # fmt: skip
    own_shop.decide("identity.refused", {"a": "user_id:u-jim", "b": "user_id:u-other", "why": "test"}, "tests")
    own_shop.search.refresh()
    traces = [b"begimenez", b"jimenez", b"jim\xc3\xa9nez", b"imenes", b"4012345", b"0987654", b"casilda", b"tremebunda"]
    present = bytes_of(own_shop.settings.folder)
    assert [trace for trace in traces if trace not in present] == [b"imenes"], "sounds are kept as numbers only"
    names = ["user_id:u-jim", "email:begimenez@correo.example", "loyalty:401234567890"]
    own_shop.decide("person.erased", {"identifiers": names}, "tests")
    left = bytes_of(own_shop.settings.folder)
    assert [trace for trace in traces if trace in left] == []
    assert found(own_shop, "jimenez") == found(own_shop, "casilda") == []
    assert found(own_shop, "ana garcia lopez") == [id_of(own_shop, "u-ana")]


def test_an_erased_person_is_not_shown_before_the_index_follows(own_shop: Platform, monkeypatch: Any) -> None:
    names = [str(member) for member in own_shop.people.members(own_shop.people.locate("user_id:u-jim").id)]
    with store.writer(own_shop.settings.folder / "search.db"):  # as when a process hangs that keeps it up to date
        monkeypatch.setattr(type(own_shop.search), "refresh", lambda self: None)
        own_shop.decide("person.erased", {"identifiers": names}, "tests")
        assert found(own_shop, "jimenez") == []


def test_who_waits_for_another_process_is_told_when_it_takes_too_long(own_shop: Platform) -> None:
    tell(own_shop, 51, type="identify", userId="u-new", traits={"name": "Nueva"})
    own_shop.drain()
    with store.writer(own_shop.settings.folder / "search.db"), pytest.raises(Busy, match=r"search\.db"):
        own_shop.search.refresh(seconds_max=0)
    own_shop.search.refresh()
    assert own_shop.search.standing().behind is False


def test_an_index_of_another_version_is_built_anew(own_shop: Platform) -> None:
    path = own_shop.settings.folder / "search.db"
    with store.writer(path) as index, index.transaction():
        index._connection.execute("update place set version = -1")
        index._connection.execute("delete from entry")
    with Platform.open(own_shop.settings) as later:
        assert found(later, "begona") == [id_of(later, "u-jim")]


def test_an_index_that_was_deleted_comes_back(own_shop: Platform) -> None:
    own_shop.search.close()
    for path in own_shop.settings.folder.glob("search.db*"):
        path.unlink()
    assert found(own_shop, "begona") == [id_of(own_shop, "u-jim")]


def test_a_replay_builds_the_index_anew(own_shop: Platform) -> None:
    with store.writer(own_shop.settings.folder / "search.db") as index, index.transaction():
        index._connection.execute("update entry set value = 'spoilt', names = ''")
    own_shop.replay(apply=True)
    assert found(own_shop, "begona") == [id_of(own_shop, "u-jim")]


def cauce(folder: Path, *words: str) -> str:
    """What a command prints."""
    done = CliRunner().invoke(main, ["--data", str(folder), *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_finds_people(own_shop: Platform) -> None:
    folder = own_shop.settings.folder
    (hit,) = json.loads(cauce(folder, "people", "search", "begona ximenes", "--json"))["hits"]
    assert hit == {
        "id": id_of(own_shop, "u-jim"), "why": "similar", "kind": "name", "matched": "Begoña Jiménez Vázquez"
    }  # fmt: skip
    assert "Begoña" in cauce(folder, "people", "search", "begona")
    assert "nobody was found" in cauce(folder, "people", "search", "nobody at all")
    page = json.loads(cauce(folder, "people", "search", "correo", "--limit", "1", "--json"))
    assert len(page["hits"]) <= 1


def test_only_its_owner_may_read_the_file(shop: Platform) -> None:
    assert (shop.settings.folder / "search.db").stat().st_mode & 0o077 == 0


def test_ids_of_hits_are_those_of_people(shop: Platform) -> None:
    for hit in shop.search.find("correo").hits:
        person = shop.people.person(hit.person)
        assert person is not None
        assert text_of(person.id) == hit.text
