// Makes the calls that come in as JSON ([method, message] each) with the Node SDK; fails when one is not delivered.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, flushAt: 5, flushInterval: 100 });
const faults = [];
analytics.on("error", (fault) => faults.push(fault));

let text = "";
for await (const part of process.stdin) text += part;
for (const [method, message] of JSON.parse(text)) {
  if (message.timestamp) message.timestamp = new Date(message.timestamp);
  analytics[method](message);
}
await analytics.closeAndFlush({ timeout: 60000 });
if (faults.length > 0) {
  console.error(faults);
  process.exit(1);
}
