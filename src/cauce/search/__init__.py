"""Who is it? Finds people by any identifier or name, as people type them.

In: identifiers and the names they were told, as identity and profiles have them. Out: people, and why each was found.

Always holds: the index is a pure function of the state, however it was brought up to date; it follows the river and
never holds it up; what was erased is gone from its file.
"""
