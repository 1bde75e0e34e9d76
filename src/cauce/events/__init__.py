"""What happened?

In: requests as bytes (intake), then items that quality let in and identity ascribed (archive).
Out: every stored event by position (`api.Archive`), as open Parquet files (`history`) and by SQL (`sql`).

What always holds: a request is answered after its bytes are durable; an event is in the archive exactly when its
batch is committed; a history file is visible only by the commit that lists it; files and the tail that is not yet
written are together all stored events, each once; what was erased is nowhere.
"""
