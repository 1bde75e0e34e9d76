"""What is said over HTTP, by both sides: the door answers with these records, and the client gives them out.

One file per resource. Answers may gain members in a later release; what is unknown in a request is refused.
Moments are aware datetimes in UTC, ISO 8601 on the wire.
"""
