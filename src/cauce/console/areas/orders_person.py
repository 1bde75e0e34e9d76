"""What a person's page shows of their open basket, wish list and orders: a part that it asks for."""

from __future__ import annotations

from contextlib import suppress

from cauce.commerce.baskets import api as baskets
from cauce.commerce.baskets.api import Asked
from cauce.commerce.orders import questions
from cauce.console.areas import orders_parts as parts
from cauce.console.frame import Answer
from cauce.console.visit import Visit
from cauce.errors import NotFound
from cauce.http.api.owners import identifiers_of

ORDERS_SHOWN = 8
CURRENCY = "EUR"


def person(visit: Visit) -> Answer:
    """The basket, wish list and last orders of all identifiers of a person."""
    visit.require("people.read")
    owners = identifiers_of(visit.platform, visit.path["key"])
    commerce = visit.platform.commerce
    with suppress(NotFound):  # who has ordered and told nothing is known to nobody
        visit.look("person.seen", visit.platform.people.locate(visit.path["key"]).text)
    found = questions.page(commerce, questions.Which(owners=owners), limit=ORDERS_SHOWN + 1)
    currency = found[0].currency if found else CURRENCY
    asked = Asked(commerce.now, currency, language=visit.words.language)
    lists = [
        (visit.say("In the basket"), _list(visit, baskets.of_owners(commerce, owners, asked))),
        (visit.say("On the wish list"), _list(visit, baskets.of_owners(commerce, owners, asked, kind="wish_list"))),
    ]
    return {
        "lists": [(name, one) for name, one in lists if one["lines"]],
        "orders": [parts.card(visit, head) for head in found[:ORDERS_SHOWN]],
        "has_more": len(found) > ORDERS_SHOWN,
    }


def _list(visit: Visit, found: baskets.Shown) -> dict[str, object]:
    return {
        "lines": [
            {
                "name": line.name or line.sku,
                "sku": line.sku,
                "amount": parts.amount(visit, line.amount, line.unit),
                "total": parts.money(visit, line.total, found.currency) if line.total is not None else "",
                "channel": visit.words.channel(line.channel) if line.channel else "",
                "ago": visit.words.ago(line.changed, visit.platform.commerce.now),
            }
            for line in found.lines
        ],
        "total": parts.money(visit, found.total, found.currency),
        "unpriced": found.unpriced,
    }
