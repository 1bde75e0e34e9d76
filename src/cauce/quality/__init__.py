"""May it enter? Contracts, dedupe for ever, quarantine, and the count that adds up.

In: every received item, decoded (`Received`), and decisions about contracts and quarantined entries.
Out: the fate of the item; only items that may enter reach the stages downstream.

What always holds:
* received = stored + quarantined + duplicate + suppressed, for every source and hour; `received` is
  counted on its own.
* One broken event never touches its neighbours in the same request.
* The same (source, event id) enters once, however much later it comes again; a quarantined event counts as seen.
* A replayed event keeps its id and its time; an entry that is no longer open cannot be replayed or dropped again.
* Reasons carry no personal data.
"""
