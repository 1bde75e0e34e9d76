"""Requests that nobody thought of: made from the OpenAPI document, right ones and wrong ones, for every operation.

No server error; what the document does not allow is refused; every answer is one that the document tells.
"""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode

from cauce.http.api.table import OPERATIONS
from tests.http.api import world as worlds

CONFIG = {
    "request-timeout": 100,  # other tests may keep the machine busy
    "generation": {"allow-x00": False},
    "checks": {
        # A definition, a statement or a moment may be well-formed and still make no sense: 422 or 400 say why.
        "positive_data_acceptance": {"enabled": False},
        "negative_data_rejection": {
            "expected-statuses": ["400", "401", "403", "404", "405", "409", "412", "413", "422", "428", "429"]
        },
    },
}
QUICK, LONG = 2, 60
"""Requests of each operation, right and wrong ones each."""
ADDRESS_CHARACTERS_MAX = 10_000
"""A longer address is refused by the server before it is read, in words of its own."""
ANSWERED = [operation.name for operation in OPERATIONS if operation.media != "text/event-stream"]
"""A stream is never answered to its end."""


@pytest.fixture(scope="module")
def api(world, tmp_path_factory):
    """(schema, headers) of the API of a world of its own, because nobody knows what becomes of it."""
    with (
        worlds.copied(world, tmp_path_factory.mktemp("fuzz") / "data") as platform,
        worlds.client_of(platform, "owner") as client,
    ):
        url = f"{str(client.base_url).rstrip('/')}/v1/openapi.json"
        schema = schemathesis.openapi.from_url(url, config=schemathesis.Config.from_dict(CONFIG))
        yield schema, {"Authorization": client.headers["authorization"]}


def judge(api, name, mode, requests):
    schema, headers = api
    operation = schema.find_operation_by_id(name)

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=requests,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    def answers(case):
        # An empty list or object more is wrong on paper only: nothing of it is sent.
        assume(all(value not in (None, [], {}) for value in (case.query or {}).values()))
        assume(len(str(case.query)) < ADDRESS_CHARACTERS_MAX)
        case.call_and_validate(headers=headers)

    answers()


@pytest.mark.soak
@pytest.mark.parametrize("name", ANSWERED)
def test_whatever_is_sent_is_answered_as_told(api, name):
    judge(api, name, GenerationMode.NEGATIVE, QUICK)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", ANSWERED)
def test_whatever_is_sent_for_long_is_answered_as_told(api, name, mode):
    judge(api, name, mode, LONG)
