"""People become one, and two again: nobody's points are moved, and every number is as it was."""

from __future__ import annotations

import json
from pathlib import Path

from cauce.app import Platform
from cauce.commerce.loyalty import api
from cauce.commerce.loyalty.earning import Earn
from cauce.commerce.loyalty.programmes import ApplyProgramme
from cauce.commerce.loyalty.redeeming import BeginRedemption, CompleteRedemption
from cauce.commerce.loyalty.rules import Line
from cauce.commerce.loyalty.who import identifiers_of
from cauce.model import Source
from tests.commerce.loyalty.club import CARD, CLUB, MAIL


def points(platform: Platform, key: str) -> int:
    who = identifiers_of(platform.people, key)
    return api.balance(platform.commerce.reader, who, platform.commerce.now)[0].available


def test_a_join_adds_points_up_and_a_split_gives_each_their_own(tmp_path: Path) -> None:
    with Platform.open(tmp_path) as platform:
        platform.sources.add(Source("web", "web"))
        events = [
            {"type": "identify", "messageId": "1", "userId": "u-1", "traits": {"loyalty_id": "9001"}},
            {"type": "identify", "messageId": "2", "userId": "u-2", "traits": {"email": "ana@tienda.es"}},
        ]
        stamped = [{**event, "timestamp": "2026-03-01T10:00:00Z"} for event in events]
        platform.append("web", "tracking", [json.dumps({"batch": stamped}).encode()])
        platform.drain()
        commerce = platform.commerce
        commerce.do(ApplyProgramme(document=CLUB, by="ana"))
        for number, (who, euros) in enumerate(((CARD, 40), (MAIL, 30))):
            lines = (Line("A", euros * 100),)
            commerce.do(Earn(documents=(f"T-{number}",), who=(who,), at=commerce.now, lines=lines, currency="EUR"))
        alone = points(platform, CARD), points(platform, MAIL)
        assert alone == (40, 30)

        pair = {"a": CARD, "b": MAIL, "why": "one person"}
        platform.decide("identity.joined", pair, "eva")
        assert points(platform, CARD) == points(platform, MAIL) == 70
        platform.decide("identity.unjoined", pair, "eva")
        assert (points(platform, CARD), points(platform, MAIL)) == alone

        platform.decide("identity.joined", pair, "eva")
        who = identifiers_of(platform.people, MAIL)
        held = commerce.do(BeginRedemption(programme="club", who=who, reward="coffee"))
        commerce.do(CompleteRedemption(redemption=held.id))
        assert points(platform, CARD) == 20
        platform.decide("identity.unjoined", pair, "eva")
        # The oldest points were spent, whoever's they were; nobody has less than nothing.
        assert (points(platform, CARD), points(platform, MAIL)) == (0, 20)
