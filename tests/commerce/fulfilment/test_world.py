"""The desks of the synthetic world have something of everything, and are furnished once."""

from __future__ import annotations

from cauce.app import Platform
from cauce.commerce.fulfilment import api
from cauce.testing.world import catalogue, fulfilment


def test_desks_have_something_to_do(tmp_path):
    with Platform.open(tmp_path / "data") as platform:
        catalogue.furnish(platform)
        owners = ["email:ana@tienda.es", "loyalty:9001"]
        for _ in range(2):
            fulfilment.furnish(platform, owners, orders=18, stores=3)
            rows = platform.commerce
            placed = rows.select("select count(*) from customer_order")[0][0]
            states = {
                state: api.pickups(rows, state=state, limit=100) for state in ("to_pick", "ready", "waiting", "ended")
            }
            assert all(states.values())
            assert placed == 18
