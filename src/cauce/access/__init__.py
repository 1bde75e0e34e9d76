"""Who may do what?

In: names, passwords, links, cookies, tokens. Out: an `Actor` with its permissions, or a clear refusal; an audit trail.
Always holds: secrets are stored only as hashes; a token never may more than its account; the last owner stays; every
change leaves an entry that nobody edits.
"""
