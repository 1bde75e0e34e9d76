"""Events that a programme names earn as the river brings them, once."""

from __future__ import annotations

import json
from pathlib import Path

from cauce.app import Platform
from cauce.app.clerk import Clerk
from cauce.commerce.loyalty import api, following
from cauce.commerce.loyalty.following import EarnEvents
from cauce.commerce.loyalty.programmes import ApplyProgramme
from cauce.model import Source
from tests.commerce.loyalty.club import CLUB

SURVEYS = CLUB.replace("earn:\n", "earn:\n  - {event: Survey Answered, points: 25}\n")


def answered(platform: Platform, number: int) -> None:
    event = {
        "type": "track", "event": "Survey Answered", "messageId": f"s{number}", "userId": "u-1",
        "timestamp": "2026-03-01T10:00:00Z", "properties": {"survey_id": f"S{number}", "score": 9},
    }  # fmt: skip
    platform.append("web", "tracking", [json.dumps({"batch": [event]}).encode()])
    platform.drain()


def test_a_survey_earns_once_and_only_from_the_programme_on(tmp_path: Path) -> None:
    with Platform.open(tmp_path) as platform:
        platform.sources.add(Source("web", "web"))
        answered(platform, 1)
        clerk = Clerk(platform)
        clerk.drain()
        assert following.names_of(platform.commerce.reader) == frozenset()
        platform.commerce.do(ApplyProgramme(document=SURVEYS, by="ana"))
        assert following.names_of(platform.commerce.reader) == {"Survey Answered"}
        for number in (2, 3):
            answered(platform, number)
            clerk.drain()
        (found,) = api.balance(platform.commerce.reader, ("user_id:u-1",), platform.commerce.now)
        assert found.points == 50
        # Whoever follows from a place that another one has left behind does nothing.
        assert platform.commerce.do(EarnEvents(after=0, until=1)) == 0
