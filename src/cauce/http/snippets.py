"""What to paste into an application so that it sends its events here: one piece of code per kind of client."""

from __future__ import annotations

SNIPPETS = {
    "Web page (Segment)": """\
import { AnalyticsBrowser } from '@segment/analytics-next'
const analytics = AnalyticsBrowser.load({ writeKey: '{key}', cdnURL: '{url}' })
analytics.track('Product Viewed', { product_id: 'p1' })""",
    "Web page (RudderStack)": """\
import { RudderAnalytics } from '@rudderstack/analytics-js/bundled'
const analytics = new RudderAnalytics()
analytics.load('{key}', '{url}', { configUrl: '{url}' })
analytics.track('Product Viewed', { product_id: 'p1' })""",
    "Node": """\
import { Analytics } from '@segment/analytics-node'
const analytics = new Analytics({ writeKey: '{key}', host: '{url}' })
analytics.track({ userId: 'u1', event: 'Order Completed', properties: { total: 27.5 } })
await analytics.closeAndFlush()""",
    "Python (Segment)": """\
from segment.analytics.client import Client
analytics = Client('{key}', host='{url}')
analytics.track(user_id='u1', event='Order Completed', properties={'total': 27.5})
analytics.shutdown()""",
    "Python (RudderStack)": """\
from rudderstack.analytics.client import Client
analytics = Client('{key}', host='{url}')
analytics.track(user_id='u1', event='Order Completed', properties={'total': 27.5})
analytics.shutdown()""",
    "Anything": """\
curl {url}/v1/track -u {key}: -H 'Content-Type: application/json' \\
  -d '{"userId": "u1", "event": "Order Completed", "properties": {"total": 27.5}}'""",
}


def snippets(url: str, key: str) -> dict[str, str]:
    """The pieces by kind of client, with the address of this installation and a write key filled in."""
    return {name: text.replace("{url}", url).replace("{key}", key) for name, text in SNIPPETS.items()}
