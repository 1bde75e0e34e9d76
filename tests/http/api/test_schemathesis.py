"""Requests that nobody thought of: made from the OpenAPI document, right ones and wrong ones, for every operation.

No server error; what the document does not allow is refused; every answer is one that the document tells.
"""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from jsonschema_rs import Draft202012Validator
from requests import Request
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection

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
REQUESTS = 12
"""Of each operation, right ones and wrong ones each."""
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


def judge(api, name, mode):
    schema, headers = api
    operation = schema.find_operation_by_id(name)

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=REQUESTS,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    def answers(case):
        assume(len(str(case.query)) < ADDRESS_CHARACTERS_MAX)
        wrong_on_paper = [] if is_wrong(case, headers) else [negative_data_rejection]
        case.call_and_validate(headers=headers, excluded_checks=wrong_on_paper)

    answers()


def is_wrong(case, headers):
    """Whether a wrong request is wrong as it is sent: with our token, lists of one as their element, empty ones not."""
    places = {place for place in ParameterLocation if case.meta.is_negative_at(place)}
    ours = {"Authorization"} if places <= {ParameterLocation.QUERY, ParameterLocation.HEADER} else set()
    if not ours or {header.name for header in case.operation.headers} - ours:
        return True
    address = Request(**case.as_transport_kwargs(headers=headers)).prepare().url
    sent = parse_qs(urlsplit(address).query, keep_blank_values=True)
    known = {parameter.name: parameter.definition for parameter in case.operation.query}
    missing = any(each.get("required") and name not in sent for name, each in known.items())
    return missing or not all(name in known and fits(texts, known[name]["schema"]) for name, texts in sent.items())


def fits(texts, schema):
    """Whether a schema allows what was sent for a parameter, as text or as the number or truth value that it spells."""
    if schema.get("type") == "array":
        return Draft202012Validator(schema).is_valid(texts)
    readings = list(texts)
    for text in texts:
        try:
            readings.append(json.loads(text))
        except (ValueError, RecursionError):
            continue
    validator = Draft202012Validator(schema, validate_formats=True)
    return len(texts) == 1 and any(validator.is_valid(reading) for reading in readings)


@pytest.mark.parametrize(
    ("texts", "schema", "fitting"),
    [
        (["22615"], {"type": "array", "items": {"type": "string"}}, True),
        (["22615"], {"type": "integer", "maximum": 100}, False),
        (["22"], {"type": "integer", "maximum": 100}, True),
        (["22", "23"], {"type": "integer", "maximum": 100}, False),
        (["4.1e-123"], {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, False),
        (["2026-11-30T18:00:00Z"], {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, True),
        (["true"], {"type": "boolean"}, True),
        (["truth"], {"type": "boolean"}, False),
    ],
)
def test_wrong_on_the_wire(texts, schema, fitting):
    assert fits(texts, schema) is fitting


@pytest.mark.soak
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", ANSWERED)
def test_whatever_is_sent_is_answered_as_told(api, name, mode):
    judge(api, name, mode)
