"""PostgreSQL for Log and Tables: several intakes and runners over one database (`cauce[postgres]`).

Rows travel as binary arrays, one statement for each table and batch, and the statements of a transaction are sent
without waiting for one another's answers: a batch costs as many round trips as it asks questions, whatever its size.
Who may write the state is settled by locks that the writing session itself holds, so who lost the session can commit
nothing. See `docs/decisions/postgres.md`.
"""

from __future__ import annotations

from cauce.engines.postgres.bulk import Copier, as_stored
from cauce.engines.postgres.database import Database
from cauce.engines.postgres.lease import Lease
from cauce.engines.postgres.log import PostgresLog
from cauce.engines.postgres.session import PREFIX, Session, without_password
from cauce.engines.postgres.state import PostgresReader, PostgresTables

__all__ = [
    "PREFIX",
    "Copier",
    "Database",
    "Lease",
    "PostgresLog",
    "PostgresReader",
    "PostgresTables",
    "Session",
    "as_stored",
    "without_password",
]
