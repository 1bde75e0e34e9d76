"""What is sold, where, when and for how much?

In: products, places, prices and the ids that channels use, put in by people, files and programs.
Out: the SKU behind any id, the price in force, when a place is open, when something can be ready there, how far it is.
Always: a GTIN belongs to one product; an id of a channel means one product; what cannot be resolved waits in a queue
and is resolved once for all; amounts of goods are thousandths of a unit, money is minor units of its currency.
"""
