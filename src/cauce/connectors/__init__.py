"""Outside systems: one file each, found by the registry (`NAME` and a role).

A channel has `decode(record, source) -> list[Received]`: pure, one item for every item that the body holds, and never
an exception for bad data. `READS_COMPRESSED = True` says that it opens gzip and zstd bodies itself
(`reading.open_body`); without it the intake stores bodies plain.
One whose documents are no lists of events (XML, an envelope of its own) has `frame(body, manner) -> list[bytes]` too:
the bodies of the records that a document becomes, or Unreadable. Modules without a `NAME` are shared by several.
"""
