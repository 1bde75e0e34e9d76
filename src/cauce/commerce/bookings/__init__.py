"""When can somebody have it, and who has it then?

A resource is anything that so many people can have at a time: a fitting room, a repair bench, a bay, a class, a table,
an attraction. Its slots follow from its opening hours. Places of a slot are held, kept and given back on the ledger.
Always: a slot never holds more than its capacity, and bookings of one resource never overlap; all slots of a booking or
none; a request that is not confirmed in time gives its places back, once, and who waits is asked next.
"""
