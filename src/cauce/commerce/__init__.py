"""What do we have, owe and promise?

In: commands of doors, answered at once (reserve, place an order, redeem points), and facts of the river (receipts,
returns, orders of other systems), which are never refused.
Out: stock and what can be promised of it, baskets, orders, pick-ups, points and stored value, bookings; each change
is a fact in the river.
Always: nothing is oversold or spent twice; a command with the same key has one effect and one answer; what was
acknowledged is durable; a balance is the sum of its immutable entries.
"""
