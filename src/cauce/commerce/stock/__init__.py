"""How much of it is where, and how much of that may still be promised?

Amounts are whole thousandths of the unit of goods, so 0.65 kg at a till is 650.
Always: free and available are never negative; received = free + sold + written off + on its way; all lines of a
reservation or none; a reservation that runs out gives back what it held, once.
"""
