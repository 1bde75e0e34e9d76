"""From which place does an order come, when, and how does it reach the person?

In: wishes for goods (collect, reserve and pay in store, curbside, order ahead, ship, ship to store) and what staff do
with them at the shelf and at the desk.
Out: a place for every piece with the reasons, a promised time, pick lists, codes, hand-overs with proof, returns.
Always: nothing is promised that is not held; the whole amount or none; collected ≤ ready ≤ reserved; a code works once;
what nobody collects is free again on its date; a promise never lies in closed hours.
"""
