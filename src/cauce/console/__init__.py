"""The console: people look at people.

In: requests of signed-in persons. Out: pages that the server renders, in their language, zone and role.
Always holds: a page is shown only to who may see it, every form carries a token, nothing is loaded from other hosts,
no script and no style stands in a page, and every text that is not ours is escaped.

A capability brings its pages by one file in `areas` and a folder of templates; nothing else has to know of them.
"""

from cauce.console.rendering import prepare
from cauce.console.routes import routes

__all__ = ["prepare", "routes"]
