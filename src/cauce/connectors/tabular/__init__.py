"""What have the rows of a table to say? Shared by the connectors that read tables: files and SQL databases.

In: rows of any table, and a mapping (a definition in YAML). Out: canonical items, gathered into bodies for the log.
What always holds: no row is lost (it becomes part of an event, is skipped by a declared condition, or is quarantined
with its line number and reasons), and the same rows with the same mapping give the same items with the same ids.

    reading     rows of a file of any format, in bounded memory, with their line numbers
    values      one cell → one typed value, by declared operations
    mapping     the definition: validated YAML
    shaping     rows → items: ids, groups, totals
    canonical   the one JSON form of items, and its decoder
    loading     items → bodies → log, with progress that survives an interruption
    suggestion  a first mapping, guessed from a file
"""
