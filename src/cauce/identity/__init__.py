"""Whose is it? Exact keys, one graph of evidence, and people as groups of identifiers.

In: events with identifiers as sent; decisions about rules, pairs of identifiers and erasure.
Out: each passage's subject (its most personal usable identifier, 0 for nobody) and the ids of all its identifiers;
tables `identifier` and `link`, from which people, explanations and dry runs are read.

What always holds:
* People are a pure function of the evidence, the rules and the stewards' decisions; order and batches do not matter.
* Every usable identifier belongs to exactly one person; a person's id is the id of its oldest identifier.
* No person breaks a limit or a unique kind unless a steward joined it; none breaks a refusal.
* Shared identifiers (a family's mailbox, a shop's tablet) join nobody.
* An id that was merged away finds its living person.
"""
