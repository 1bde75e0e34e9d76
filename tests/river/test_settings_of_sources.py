"""A source's settings hold for the records after them, today and in every replay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.app import Platform
from cauce.model import Source
from cauce.settings import Settings


def _call(number: int, **more: object) -> bytes:
    call = {"type": "identify", "messageId": f"m{number}", "anonymousId": f"a{number}", **more}
    return json.dumps({"batch": [call]}).encode()


def test_a_number_is_read_by_the_region_of_its_time(tmp_path: Path) -> None:
    with Platform.open(Settings({"data": str(tmp_path / "data")})) as platform:
        platform.sources.add(Source("shop", "web", region="ES"))
        platform.append("shop", "tracking", [_call(1, traits={"phone": "612 345 678"})])
        platform.sources.change("shop", region="FR", by="ana")
        platform.append("shop", "tracking", [_call(2, traits={"phone": "612 345 678"})])
        platform.drain()
        phones = {
            member.value
            for key in ("anonymous_id:a1", "anonymous_id:a2")
            for member in platform.people.members(platform.people.locate(key).id)
            if member.kind == "phone"
        }
        assert phones == {"+34612345678", "+33612345678"}
        assert platform.replay().equal


def test_enabling_is_the_affair_of_the_door(tmp_path: Path) -> None:
    with Platform.open(Settings({"data": str(tmp_path / "data")})) as platform:
        platform.sources.add(Source("shop", "web"))
        before = platform.log.end()
        platform.sources.disable("shop")
        platform.sources.enable("shop")
        assert platform.log.end() == before


STEPS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"mode": st.sampled_from(("observe", "quarantine"))}),
        st.fixed_dictionaries({"region": st.sampled_from(("ES", "FR", "MX"))}),
        st.fixed_dictionaries({"shared_device": st.booleans()}),
        st.fixed_dictionaries({"user_id_kind": st.sampled_from(("user_id", "crm_id"))}),
        st.fixed_dictionaries({"channel": st.sampled_from(("web", "app"))}),
        st.integers(0, 5),
    ),
    max_size=12,
)


@settings(max_examples=10, deadline=None)
@given(steps=STEPS)
def test_a_replay_reads_every_record_as_it_was_read(
    tmp_path_factory: pytest.TempPathFactory, steps: list[object]
) -> None:
    folder = tmp_path_factory.mktemp("settings")
    with Platform.open(Settings({"data": str(folder / "data")})) as platform:
        platform.sources.add(Source("shop", "web"))
        for number, step in enumerate(steps):
            if isinstance(step, dict):
                platform.sources.change("shop", **step)
            else:
                broken = {"type": "track", "event": "Order Completed", "properties": {"total": "much"}}
                more = broken if step == 0 else {"userId": f"u{step}", "traits": {"phone": f"61234567{step}"}}
                platform.append("shop", "tracking", [_call(number, **more)])
            if number % 3 == 0:
                platform.drain()
        assert platform.replay().equal
