"""The page of a person, as browsers without scripts get it."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import UTC, datetime
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from cauce.access.api import Filter
from cauce.model import DAY
from tests.console.persons import ANA, BROWSER, EVA, EVIL, FIRST, HOSTILE, PERSONAL, home, id_of, told

ROLES = ("owner", "engineer", "steward", "marketer", "analyst", "agent", "store_staff", "privacy")
PERSONAL_ROLES = frozenset(("owner", "engineer", "steward", "agent", "privacy"))
PARTS = ("", "/timeline", "/shopping", "/identifiers")


# -- what it shows ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "money", "purchases"), [("en", "€199.90", "purchases"), ("es", "199,90 €", "compras")]
)
def test_what_matters_stands_at_the_top(shop, language, money, purchases):
    text = told(shop.client("agent", language=language).page(home(shop)))
    top = text[: text.index("Registro maestro" if language == "es" else "Golden record")]
    for part in ("Ana Maria Garcia", "+34612345678", "ana@tienda.es", "2980001112223", money, purchases):
        assert part in top, part
    assert "✗" in top, "consent at a glance"


def test_any_identifier_leads_to_the_page_of_the_person(shop):
    answer = shop.client("agent").get(f"/people/{ANA}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, home(shop))
    assert shop.client("agent").get("/people/email:nobody@tienda.es").status_code == 404
    assert shop.client("agent").get("/people/nonsense").status_code == 404


def test_the_golden_record_says_who_won_and_who_lost(shop):
    html = shop.client("steward").page(home(shop))
    row = re.search(r"<tr>\s*<th scope=\"row\">first name</th>.*?</tr>", html, re.DOTALL)
    assert row
    said = told(row[0])
    assert "Ana Maria" in said
    assert "crm" in said
    assert "Mar 4, 2026" in said
    assert "the latest of several" in said
    lost = re.search(r'<ul class="plain small lost">.*?</ul>', row[0], re.DOTALL)
    assert lost
    assert "Ana" in told(lost[0])
    assert "web" in told(lost[0])
    assert "told once" in told(lost[0])


def test_computed_traits_say_what_they_compute(shop):
    text = told(shop.client("agent").page(home(shop)))
    assert "sum of total: Order Completed and Receipt Issued, within the last 365 days" in text
    assert "most frequent category: Product Viewed" in text


def test_consents_have_their_history(shop):
    html = shop.client("agent").page(home(shop))
    consent = told(html[html.index('id="consent"') : html.index('id="belongings"')])
    assert re.search(r"marketing.*withdrawn.*said 2 times.*withdrawn.*given", consent)


def test_memberships_and_devices(shop):
    html = shop.client("agent").page(home(shop))
    part = told(html[html.index('id="belongings"') : html.index('id="shopping"')])
    assert "2980001112223 loyalty card" in part
    assert "b1b1b1b1-0001 browser" in part


def test_shopping_shows_baskets_looks_purchases_and_returns(shop):
    text = told(shop.client("agent").page(f"{home(shop)}/shopping"))
    basket = text[text.index("Open basket") : text.index("Purchases by channel")]
    assert "Sombrero Sol" in basket
    assert "€15.00" in basket
    channels = text[text.index("Purchases by channel") : text.index("Returns")]
    assert re.search(r"Website 2 €139\.90.*Shop floor 1 €60\.00", channels)
    assert "Falda Olmo" in text[text.index("Returns") : text.index("Looked at, not bought")]
    looks = text[text.index("Looked at, not bought") :]
    assert "Sombrero Sol" in looks
    assert "Zapato" not in looks
    assert "Falda" not in looks


# -- timeline ---------------------------------------------------------------------------------------------------


def events_in(html: str) -> list[str]:
    return re.findall(r'<details id="(e\d+)">', html)


def test_the_timeline_goes_on_where_it_ended(shop):
    client = shop.client("agent")
    html = client.page(home(shop))
    found = events_in(html)
    assert len(found) == 30
    days = re.findall(r'<h3 class="day">(.*?)</h3>', html)
    while more := re.search(r'hx-get="([^"]*timeline[^"]*cursor[^"]*)"', html):
        html = client.page(more[1].replace("&amp;", "&"))
        found += events_in(html)
        days += re.findall(r'<h3 class="day">(.*?)</h3>', html)
    assert len(found) == len(set(found)) == 55
    assert days == [f"March {day}, 2026" for day in (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)], "each day has one heading"


def test_without_script_older_events_come_with_the_whole_page(shop):
    client = shop.client("agent")
    plain = re.search(r'<p class="more"><a[^>]*href="([^"]*)"', client.page(home(shop)))
    assert plain
    html = client.page(plain[1].replace("&amp;", "&"))
    assert "<!doctype html>" in html
    assert len(events_in(html)) == 25


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("channel=store", 3),
        ("event=Order+Completed", 2),
        ("text=MADRID", 1),
        ("since=2026-03-05&until=2026-03-07", 4),
        ("channel=web&event=Receipt+Issued", 0),
    ],
)
def test_the_timeline_is_filtered(shop, query, count):
    html = shop.client("agent").page(f"{home(shop)}/timeline?{query}")
    assert len(events_in(html)) == count
    assert ("No event fits these filters" in html) == (count == 0)


@pytest.mark.parametrize(
    "query", ["since=tomorrow", "until=9999-99-99", "until=9999-12-31", "cursor=nonsense", "as_of=1-1-1"]
)
def test_what_is_no_day_and_no_cursor_is_refused_in_words(shop, query):
    answer = shop.client("agent").get(f"{home(shop)}/timeline?{query}")
    assert answer.status_code in (400, 422)
    assert "expected" in answer.text.lower()


def test_an_event_shows_what_it_says_and_how_it_came(shop):
    html = shop.client("agent").page(f"{home(shop)}/timeline?event=Receipt+Issued")
    text = told(html)
    for part in ("Occurred", "Received", "Source store", "Position", "products 1.name Zapato Duna", "receipt_id r1"):
        assert part in text, part
    raw = re.search(r'<pre tabindex="0">(.*?)</pre>', html, re.DOTALL)
    assert raw
    assert json.loads(raw[1].replace("&#34;", '"'))["properties"]["total"] == 60


def test_times_are_told_in_the_zone_of_who_looks(shop):
    address = f"{home(shop)}/timeline?event=Receipt+Issued"
    madrid = shop.client("agent", language="es").page(address)
    mexico = shop.client("agent", language="es", zone="America/Mexico_City").page(address)
    assert re.search(r'<time datetime="2026-03-05T10:\d\d:00\+01:00">10:', madrid)
    assert re.search(r'<time datetime="2026-03-05T03:\d\d:00-06:00">3:', mexico)


# -- as of ------------------------------------------------------------------------------------------------------


def test_the_person_at_a_past_day(shop):
    html = shop.client("agent").page(f"{home(shop)}?as_of=2026-03-03")
    text = told(html)
    assert "As it was known at the end of March 3, 2026" in text
    assert "Ana Garcia" in text
    assert "€39.90" in text
    assert "identifiers that came later:" in text
    assert "loyalty card 2980001112223" in text
    assert "today: Ana Maria" in text, "differences from today are marked"
    assert re.search(r"city\s+not known yet\s+today: Madrid", text)
    assert re.search(r"purchases[^.]*?1\s+today: 3", text[text.index("Figures") :])
    assert "✓ marketing" in text
    assert "Receipt Issued" not in "".join(re.findall(r'<span class="what"><b>(.*?)</b>', html))
    assert f'hx-get="{home(shop)}/shopping?as_of=2026-03-03"' in html, "the whole page follows"


def test_every_part_follows_the_moment(shop):
    client = shop.client("steward")
    shopping = told(client.page(f"{home(shop)}/shopping?as_of=2026-03-03"))
    assert "€39.90" in shopping
    assert "€60.00" not in shopping
    assert "Sombrero" not in shopping
    identifiers = told(client.page(f"{home(shop)}/identifiers?as_of=2026-03-03"))
    assert "b1b1b1b1-0001" in identifiers
    assert "2980001112223" not in identifiers
    assert "What would a split change?" not in identifiers, "the past cannot be decided about"


def test_before_they_were_known_there_is_nothing_to_show(shop):
    text = told(shop.client("agent").page(f"{home(shop)}?as_of=2026-02-01"))
    assert "nothing was known of this person" in text
    assert "March 1, 2026" in text


def test_a_day_to_come_is_today(shop):
    tomorrow = datetime.fromtimestamp((FIRST + 400 * 365 * DAY) / 1e6, UTC).date().isoformat()
    assert "As it was known" not in shop.client("agent").page(f"{home(shop)}?as_of={tomorrow}")


# -- who may what -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_every_role_sees_what_it_needs(shop, role):
    client = shop.client(role)
    for part in PARTS:
        html = client.page(home(shop) + part)
        shown = [value for value in PERSONAL if value in told(html)]
        if role in PERSONAL_ROLES:
            assert shown or part in ("/timeline", "/shopping"), part
        else:
            assert not shown, (part, shown)
            assert not [value for value in PERSONAL if value in html], part


def test_what_a_computed_trait_hands_on_is_masked_too(own_shop):
    told_by = {"name": "last_page", "compute": "last", "property": "context.page.title"}
    own_shop.platform.decide("trait.applied", {"definitions": [told_by]}, by="tests")
    page = {"type": "page", "name": "x", "anonymousId": "b1b1b1b1-0001", "context": {"page": {"title": "Carta de Ana"}}}
    own_shop.platform.append("web", "tracking", [json.dumps({"batch": [{**page, "messageId": "late"}]}).encode()])
    own_shop.platform.drain()
    assert "Carta de Ana" in told(own_shop.client("agent").page(home(own_shop)))
    masked = told(own_shop.client("analyst").page(home(own_shop)))
    assert "Carta de Ana" not in masked
    assert "faldas" in masked, "what contracts show stays"


@pytest.mark.parametrize("role", sorted(set(ROLES) - PERSONAL_ROLES))
def test_masked_pages_do_not_answer_guesses(shop, role):
    client = shop.client(role)
    everything = len(events_in(client.page(f"{home(shop)}/timeline")))
    assert len(events_in(client.page(f"{home(shop)}/timeline?text=nobody-said-this"))) == everything
    assert "As JSON" not in client.page(f"{home(shop)}/timeline")


@pytest.mark.parametrize(
    ("part", "allowed"),
    [
        ("/explain?a={a}&b={b}", {"owner", "engineer", "steward", "analyst", "privacy"}),
        ("/preview?do=split&a={a}&b={b}", {"owner", "steward"}),
        ("/export", {"owner", "privacy"}),
        ("/erase", {"owner", "privacy"}),
    ],
)
@pytest.mark.parametrize("role", ROLES)
def test_parts_are_refused_to_who_may_not(shop, role, part, allowed):
    address = home(shop) + part.format(a=id_of(shop, ANA), b=id_of(shop, BROWSER))
    status = shop.client(role).get(address).status_code
    assert status == (200 if role in allowed else 403)


@pytest.mark.parametrize("part", ["decide", "traits", "erase"])
@pytest.mark.parametrize("role", ["agent", "analyst", "marketer", "store_staff"])
def test_actions_are_refused_to_who_may_not(shop, role, part):
    client = shop.client(role)
    answer = client.send(
        f"{home(shop)}/{part}", page="/account", do="split", a=id_of(shop, ANA), b=id_of(shop, BROWSER), why="x"
    )
    assert answer.status_code == 403


def test_without_the_token_of_the_session_nothing_is_decided(own_shop):
    fields = {"do": "split", "a": id_of(own_shop, ANA), "b": id_of(own_shop, BROWSER), "why": "x"}
    assert own_shop.client("steward").post(f"{home(own_shop)}/decide", data=fields).status_code == 403
    assert not own_shop.platform.people.refusals()


def test_nobody_sees_anything_without_signing_in(shop):
    for part in (*PARTS, "/export", "/erase"):
        answer = shop.client("").get(home(shop) + part, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in")


def test_every_look_is_in_the_audit_trail(own_shop):
    own_shop.client("agent").page(home(own_shop))
    own_shop.platform.audit.flush()
    (entry,) = own_shop.platform.audit.entries(Filter(action="person.seen")).entries
    assert (entry.actor, entry.subject) == ("the-agent", home(own_shop).removeprefix("/people/"))


# -- hostile people ---------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """The tags and attributes of a page that a script could hide in."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img" or (tag == "script" and not (values.get("src") or "").startswith("/")):
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on") or (value or "").strip().lower().startswith("javascript:"):
                self.faults.append(f"{name}={value}")


@pytest.mark.parametrize("role", ["owner", "analyst"])
@pytest.mark.parametrize(
    "part",
    ["", "/timeline", "/shopping", "/identifiers", "?as_of=2026-03-02", "/timeline?text={evil}", "?channel={evil}"],
)
def test_hostile_values_stay_text_everywhere(shop, role, part):
    html = shop.client(role).page(home(shop, HOSTILE) + part.format(evil=quote(EVIL)))
    tags = Tags()
    tags.feed(html)
    assert not tags.faults
    assert "<script>alert" not in html


def test_hostile_values_stay_text_in_answers(shop):
    client = shop.client("steward")
    members = shop.platform.people.locate(HOSTILE).identifiers
    pair = f"a={id_of(shop, str(members[0]))}&b={id_of(shop, str(members[1]))}"
    for part in (
        f"/explain?{pair}",
        f"/preview?do=split&{pair}",
        f"/preview?do={EVIL}&{pair}",
        f"/explain?a={EVIL}&b=x",
    ):
        tags = Tags()
        tags.feed(client.get(home(shop, HOSTILE) + part).text)
        assert not tags.faults, part


# -- export and erasure -----------------------------------------------------------------------------------------


def test_everything_known_can_be_handed_over(shop):
    client = shop.client("privacy")
    answer = client.get(f"{home(shop)}/export")
    document = json.loads(answer.content)
    assert "attachment" in answer.headers["content-disposition"]
    assert len(document["events"]) == 55, "the whole timeline, not a page"
    assert document["profile"]["traits"]["firstName"]["value"] == "Ana Maria"
    assert document["profile"]["as_of"].startswith("20")
    packed = zipfile.ZipFile(io.BytesIO(client.get(f"{home(shop)}/export?format=zip").content))
    assert sorted(packed.namelist()) == ["about.json", "events.jsonl", "links.json", "profile.json"]
    assert len(packed.read("events.jsonl").splitlines()) == 55
    assert client.get(f"{home(shop)}/export?format=exe").status_code in (400, 422)


def test_erasing_asks_for_the_persons_id(own_shop):
    client, address = own_shop.client("privacy"), home(own_shop)
    refused = client.send(f"{address}/erase", page=f"{address}/erase", confirm="Ana", suppress="yes")
    assert refused.status_code == 422
    assert own_shop.platform.people.locate(ANA)
    done = client.send(f"{address}/erase", page=f"{address}/erase", confirm=address.removeprefix("/people/"))
    assert (done.status_code, done.headers["location"]) == (303, "/people")
    assert own_shop.platform.people.find("email", "ana@tienda.es") is None
    assert own_shop.platform.people.locate(EVA), "others stay"
    assert client.get(address).status_code == 404
