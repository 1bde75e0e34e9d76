"""What the views of SQL hold, column by column, and questions to begin with."""

from __future__ import annotations

from cauce.console.catalogues import marked

VIEWS: dict[str, tuple[str, tuple[tuple[str, str, str], ...]]] = {
    "events": (
        marked("One stored event each, of all channels."),
        (
            ("position", "BIGINT", marked("Order of arrival.")),
            ("id", "VARCHAR", marked("Id that the sender gave.")),
            ("source", "VARCHAR", marked("Who sent it.")),
            ("channel", "VARCHAR", marked("Channel of the source.")),
            ("type", "VARCHAR", marked("track, identify, page, screen, group or alias.")),
            ("name", "VARCHAR", marked("Name of the event, title of the page.")),
            ("occurred", "TIMESTAMP WITH TIME ZONE", marked("When it happened.")),
            ("received", "TIMESTAMP WITH TIME ZONE", marked("When Cauce acknowledged it.")),
            ("person", "VARCHAR", marked("Whose it is now.")),
            ("subject", "BIGINT", marked("Id of its most personal identifier, 0 for nobody's.")),
            ("identifier_ids", "BIGINT[]", marked("Ids of all its identifiers.")),
            ("identifiers", 'STRUCT(kind VARCHAR, "value" VARCHAR)[]', marked("Identifiers as sent.")),
            ("traits", "JSON", marked("What it told about the person.")),
            ("properties", "JSON", marked("What it told about itself: `properties->>'$.total'`.")),
            ("context", "JSON", marked("Device, page, campaign.")),
        ),
    ),
    "people": (
        marked("One person each."),
        (
            ("person", "VARCHAR", marked("Id of the person.")),
            ("identifiers", "BIGINT", marked("How many identifiers are known.")),
            ("first_occurred", "TIMESTAMP WITH TIME ZONE", marked("When they were first seen.")),
        ),
    ),
    "identifiers": (
        marked("One identifier each, with its person."),
        (
            ("id", "BIGINT", marked("Keyed hash of kind and value.")),
            ("kind", "VARCHAR", marked("email, phone, user_id …")),
            ("value", "VARCHAR", marked("Normalised value.")),
            ("person", "VARCHAR", marked("Whose it is now.")),
            ("first_occurred", "TIMESTAMP WITH TIME ZONE", marked("When it was first seen.")),
        ),
    ),
    "links": (
        marked("Evidence that two identifiers belong together."),
        (
            ("a", "BIGINT", marked("Id of one identifier.")),
            ("b", "BIGINT", marked("Id of the other.")),
            ("a_identifier", "VARCHAR", marked("The one as `kind:value`.")),
            ("b_identifier", "VARCHAR", marked("The other as `kind:value`.")),
            ("support", "BIGINT", marked("How many events say so.")),
            ("occurred", "TIMESTAMP WITH TIME ZONE", marked("When the first of them happened.")),
            ("source", "VARCHAR", marked("Who sent it.")),
            ("event", "VARCHAR", marked("Id of that event.")),
            ("rule", "VARCHAR", marked("Rule of identity that made the link.")),
        ),
    ),
    "traits": (
        marked("One trait of a person each."),
        (
            ("person", "VARCHAR", marked("Id of the person.")),
            ("name", "VARCHAR", marked("Name of the trait.")),
            ("sort", "VARCHAR", marked("golden or computed.")),
            ("value", "VARCHAR", marked("The value as JSON.")),
            ("source", "VARCHAR", marked("Source that won, for golden ones.")),
            ("occurred", "TIMESTAMP WITH TIME ZONE", marked("When it was told, for golden ones.")),
        ),
    ),
    "decisions": (
        marked("One decision of somebody each, with the same columns as events."),
        (
            ("name", "VARCHAR", marked("What was decided, such as contract.applied.")),
            ("occurred", "TIMESTAMP WITH TIME ZONE", marked("When it was decided.")),
            ("properties", "JSON", marked("What the decision says.")),
            ("context", "JSON", marked("By whom: `context->>'$.by'`.")),
        ),
    ),
}
"""View → what a row is, and its columns as (name, type of DuckDB, what it holds)."""

EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        marked("Events by day and channel"),
        "select occurred::date as day, channel, count(*) as events\nfrom events\ngroup by all\norder by day, channel",
    ),
    (
        marked("Revenue by channel"),
        "select channel,\n"
        "       count(*) as purchases,\n"
        "       sum((properties->>'$.total')::decimal(18, 2)) as revenue\n"
        "from events\n"
        "where name in ('Order Completed', 'Receipt Issued')\n"
        "group by channel\n"
        "order by revenue desc",
    ),
    (
        marked("Most viewed products"),
        "select coalesce(properties->>'$.name', properties->>'$.product_id') as product, count(*) as views\n"
        "from events\n"
        "where name = 'Product Viewed'\n"
        "group by product\n"
        "order by views desc\n"
        "limit 20",
    ),
    (
        marked("People who bought in a shop after they looked on the web"),
        "select count(distinct shop.person) as people\n"
        "from events shop\n"
        "join events web using (person)\n"
        "where shop.name = 'Receipt Issued' and web.channel = 'web' and web.occurred < shop.occurred",
    ),
    (
        marked("People by number of identifiers"),
        "select identifiers, count(*) as people\nfrom people\ngroup by identifiers\norder by identifiers",
    ),
    (
        marked("Identifiers by kind"),
        "select kind, count(*) as identifiers, count(distinct person) as people\n"
        "from identifiers\ngroup by kind\norder by identifiers desc",
    ),
)
"""What to ask, and the statement."""
