"""How much is there of it, and to whom is it promised?

Stock of a place, seats of a time slot, loyalty points and stored value behave alike: accounts, immutable transfers that
debit one account and credit another, and holds (pending transfers) that are posted, in full or in part, voided, or run
out. The design is TigerBeetle's two-phase transfers (https://docs.tigerbeetle.com/coding/two-phase-transfers/).

Always: the balance of an account is the sum of its transfers; what is pending is the sum of its open holds; an account
with a floor never has less available (`posted - pending`) than nothing, and the database itself checks it.
Amounts are whole numbers: thousandths of a unit of goods, minor units of a currency, seats, points.
"""
