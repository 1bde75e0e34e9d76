"""The synthetic world's stores can be booked, as often as it is furnished."""

from __future__ import annotations

from cauce.app import Platform
from cauce.commerce.bookings import api
from cauce.model.time import DAY
from cauce.settings import Settings
from cauce.testing.world import bookings, catalogue

OWNERS = ("email:ana@tienda.es", "email:luis@tienda.es", "phone:+34698765432")


def test_stores_have_what_is_booked_and_it_is_put_in_once(tmp_path):
    with Platform.open(Settings({"data": str(tmp_path)})) as platform:
        catalogue.furnish(platform)
        bookings.furnish(platform, OWNERS)
        reader, now = platform.commerce.reader, platform.commerce.now
        assert {one.kind for one in api.resources_of(reader)} == {"fitting", "repair", "class"}
        found = api.bookings(reader, now - DAY, now + 9 * DAY)
        assert len(found) > 20
        assert {one.state for one in found} == {"confirmed", "held"}
        bookings.furnish(platform, OWNERS)
        assert api.bookings(reader, now - DAY, now + 9 * DAY) == found
