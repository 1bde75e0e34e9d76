"""Gift cards and store credit: authorised, captured, refunded, blocked, expired; never below nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.commerce.ledger import api as ledger
from cauce.commerce.loyalty.value import api
from cauce.commerce.loyalty.value.cards import BlockCard, IssueCard, SweepCards, TopUpCard
from cauce.commerce.loyalty.value.numbers import check_digit, fresh, number_hash, pin_hash
from cauce.commerce.loyalty.value.paying import Authorise, Capture, RefundToCard, ReleaseAuthorisation
from cauce.commerce.transact.store import TABLES
from cauce.commerce.transact.writer import Writer
from cauce.errors import CauceError, Conflict, DefinitionInvalid, Ended, Shortage
from cauce.identity.kinds import luhn
from cauce.model.time import DAY
from tests.commerce.loyalty.club import T0
from tests.furnished import FurnishedTables

SECRET = b"s" * 32


class Safe:
    """Cards over memory, with a clock of its own."""

    def __init__(self) -> None:
        self.now = T0
        self.tables = FurnishedTables()
        shapes = (*TABLES, *ledger.TABLES, *api.TABLES)
        self.writer = Writer(self.tables, api.ACTIONS, shapes, clock=lambda: self.now)
        self.reader = self.tables.reader()

    def do(self, command: Any) -> Any:
        return self.writer.do(command)

    def issue(self, amount: int = 5_000, **more: Any) -> Any:
        made = fresh(SECRET, more.pop("secret", "k"))
        number = number_hash(SECRET, made.number)
        return self.do(IssueCard(amount=amount, currency="EUR", number=number, last=made.number[-4:], **more))

    def hold(self, amount: int, card: int = 1, **more: Any) -> Any:
        return self.do(Authorise(card=card, amount=amount, currency="EUR", document="T-1", **more))

    @property
    def balance(self) -> tuple[int, int]:
        found = api.card(self.reader, 1)
        assert found
        return found.balance, found.held

    def close(self) -> None:
        self.reader.close()
        self.writer.close()


@pytest.fixture
def safe() -> Iterator[Safe]:
    found = Safe()
    yield found
    found.close()


def test_a_number_is_one_and_is_found_however_it_is_typed(safe: Safe) -> None:
    made = fresh(SECRET, "k")
    assert made == fresh(SECRET, "k") != fresh(SECRET, "other")
    assert luhn(made.number)
    assert check_digit("7992739871") == "3"
    safe.issue()
    spaced = " ".join(made.number[at : at + 4] for at in range(0, 16, 4))
    found = api.find(safe.reader, SECRET, spaced)
    assert found
    assert found.last == made.number[-4:]
    assert api.find(safe.reader, b"another secret", made.number) is None
    with pytest.raises(Conflict, match="already a card"):
        safe.issue()


def test_what_is_promised_is_captured_in_part_and_the_rest_is_free(safe: Safe) -> None:
    safe.issue()
    held = safe.hold(3_000)
    with pytest.raises(Shortage, match="2000 are on the card"):
        safe.hold(2_001)
    assert safe.do(Capture(authorisation=held.id, amount=1_000)).state == "captured"
    assert safe.balance == (4_000, 0)
    with pytest.raises(Ended):
        safe.do(Capture(authorisation=held.id))
    other = safe.hold(9_999, part=True)
    assert other.amount == 4_000
    assert safe.do(ReleaseAuthorisation(authorisation=other.id)).state == "released"
    assert sum(move.amount for move in api.movements(safe.reader, 1)) == safe.balance[0]


def test_a_refund_is_never_more_than_what_was_captured(safe: Safe) -> None:
    safe.issue()
    held = safe.hold(3_000)
    with pytest.raises(Ended, match="0 of what was captured"):
        safe.do(RefundToCard(authorisation=held.id, amount=1))
    safe.do(Capture(authorisation=held.id))
    safe.do(RefundToCard(authorisation=held.id, amount=1_000))
    with pytest.raises(Ended, match="2000 of what was captured can be"):
        safe.do(RefundToCard(authorisation=held.id, amount=2_001))
    assert safe.do(RefundToCard(authorisation=held.id)).refunded == 3_000
    assert safe.balance == (5_000, 0)


def test_a_wrong_pin_counts_and_blocks(safe: Safe) -> None:
    number = number_hash(SECRET, fresh(SECRET, "k").number)
    safe.issue(pin=pin_hash(SECRET, number, "123456"))
    assert [safe.hold(100, pin="wrong").left for _ in range(4)] == [4, 3, 2, 1]
    assert safe.hold(100, pin=pin_hash(SECRET, number, "123456")).state == "held"
    assert [safe.hold(100).left for _ in range(5)] == [4, 3, 2, 1, 0]
    with pytest.raises(Ended, match="is blocked"):
        safe.hold(100, pin=pin_hash(SECRET, number, "123456"))
    safe.do(BlockCard(card=1, blocked=False, why="its owner was here", by="ana"))
    assert safe.hold(100, pin=pin_hash(SECRET, number, "123456")).state == "held"


def test_a_card_that_has_run_out_pays_what_was_promised_in_time_and_no_more(safe: Safe) -> None:
    safe.issue(expires=T0 + DAY)
    held = safe.hold(3_000, seconds=3 * 86_400)
    safe.now += 2 * DAY
    with pytest.raises(Ended, match="has expired"):
        safe.hold(1)
    safe.do(SweepCards())
    assert safe.balance == (3_000, 3_000)
    safe.do(Capture(authorisation=held.id, amount=1_000))
    assert safe.balance == (0, 0)
    safe.do(RefundToCard(authorisation=held.id))
    assert safe.hold(1_000).state == "held"


def test_store_credit_has_no_number(safe: Safe) -> None:
    safe.do(IssueCard(amount=700, currency="EUR", member="email:ana@tienda.es"))
    (found,) = api.cards_of(safe.reader, ["email:ana@tienda.es"])
    assert (found.balance, found.last) == (700, "")
    assert api.outstanding(safe.reader) == {"EUR": 700}


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (IssueCard(amount=0, currency="EUR", number="x"), "amount: expected 1 to"),
        (IssueCard(amount=1, currency="euro", number="x"), "currency: expected an ISO 4217 code"),
        (IssueCard(amount=1, currency="EUR"), "expected a number, or a member"),
        (IssueCard(amount=1, currency="EUR", number="x", expires=1), "expires: expected a moment"),
        (Authorise(card=1, amount=1, currency="USD"), "currency: expected EUR, as the card has"),
        (Authorise(card=1, amount=1, currency="EUR", seconds=0), "seconds: expected 1 to"),
        (BlockCard(card=1, blocked=True, why=" ", by="ana"), "why, by: expected a reason"),
    ],
)
def test_what_makes_no_sense_is_refused(safe: Safe, command: Any, told: str) -> None:
    safe.issue()
    with pytest.raises(DefinitionInvalid, match=told):
        safe.do(command)


@given(
    steps=st.lists(
        st.tuples(st.sampled_from("ACRFTX"), st.integers(0, 4), st.integers(1, 6_000)), min_size=5, max_size=40
    )
)
@settings(max_examples=30, deadline=None)
def test_nothing_is_lost_or_made_whatever_is_asked(steps: list[tuple[str, int, int]]) -> None:
    safe = Safe()
    try:
        safe.issue(expires=T0 + 20 * DAY)
        for what, which, amount in steps:
            safe.now += DAY // 3
            try:
                if what == "A":
                    safe.hold(amount, part=which > 2)
                elif what == "C":
                    safe.do(Capture(authorisation=which, amount=amount % 3 * 500, more=which == 1))
                elif what == "R":
                    safe.do(ReleaseAuthorisation(authorisation=which))
                elif what == "F":
                    safe.do(RefundToCard(authorisation=which, amount=amount % 3 * 300))
                elif what == "T":
                    safe.do(TopUpCard(card=1, amount=amount))
                else:
                    safe.do(SweepCards())
            except CauceError:
                pass
            rows: dict[str, int] = dict(
                safe.reader.select("select name, sum(posted) from account where book = 'value' group by name")
            )
            assert sum(rows.values()) == 0
            balance, held = safe.balance
            assert 0 <= held <= balance
            assert sum(move.amount for move in api.movements(safe.reader, 1)) == balance
            for row in safe.reader.select("select amount, captured, refunded from value_authorisation"):
                assert row[0] >= row[1] >= row[2] >= 0
    finally:
        safe.close()
