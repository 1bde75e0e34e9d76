"""How is a command answered at once, durably and once only?

In: commands (frozen records with a key of the client's) and, for each sort of command, a function of the unit of work.
Out: answers, after they are durable; facts for the river, by an outbox in the same transaction.
Always: same key, same answer, one effect; all of a command or nothing; a command that fails leaves its neighbours
alone; many commands share one transaction and one sync of the disk, and the result does not depend on which.
"""
