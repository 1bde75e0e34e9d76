"""What did the tills and the other systems do with our goods, and what does the river know of what we did?

In: facts of the river, such as receipts, returns, orders and levels of other systems; facts of commerce in its outbox.
Out: stock sold and given back, orders recorded, points earned; events of source `commerce`.
Always: what a till has sold is never refused; each fact has one effect, however often, from however many sources and in
whatever order it comes; a fact that cannot be applied waits with its reason, and nothing is lost.
"""
