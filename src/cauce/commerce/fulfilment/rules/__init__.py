"""Pure decisions of fulfilment: where from, until when, and what a code looks like."""
