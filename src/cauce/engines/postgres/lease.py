"""Who writes the state: holders of a lock that ends with their session. How a dead holder is told from a busy one.

One holds it alone (a state is put in the place of another), or any number of runners share it.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from cauce.engines.postgres.session import PREFIX, Session, lock_number, settings_of
from cauce.errors import CauceError, Locked

BEAT_SECONDS = 1.5
DEAD_SECONDS = 6.0
"""A holder of the river that shows no sign of life for so long is cut off: another takes over within ten seconds."""

SCHEMA = (
    "create table lease (id bigint primary key, pid integer not null, holder text not null,"
    " beat timestamptz not null) with (fillfactor = 10)",
)

_ALONE, _SHARED = "pg_try_advisory_lock", "pg_try_advisory_lock_shared"

_logger = logging.getLogger(__name__)

_HOLDER = """
select l.pid, clock_timestamp() - greatest(b.beat, a.state_change, a.backend_start) > make_interval(secs => %b)
from pg_locks l join pg_stat_activity a on a.pid = l.pid
left join {lease} b on b.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.database = a.datid
and a.datname = current_database() and l.classid::bigint = %b and l.objid::bigint = %b
"""


class Lease:
    """Who writes the state: one session alone, or several that share, by a lock that ends with each.

    A holder whose process vanished without a word (its machine lost power, its network is cut, it was stopped) shows no
    sign of life: whoever wants the lock then ends that session on the server, and so it can never commit again.
    """

    def __init__(self, url: str, state: str, home: str = PREFIX) -> None:
        self._url = url
        self._state = state
        self._lease = f'"{home}".lease'
        self._number = lock_number(state, "river")
        self._asking = Session(url, "cauce lease", {"jit": "off"})
        self._lock = threading.Lock()

    def hold(self) -> AbstractContextManager[Session]:
        """The session that may write the state alone; Locked when another one may write."""
        return self._held(_ALONE)

    def share(self) -> AbstractContextManager[Session]:
        """A session that may write the state beside others that share it; Locked while somebody holds it alone."""
        return self._held(_SHARED)

    @contextmanager
    def _held(self, how: str) -> Iterator[Session]:
        session = Session(self._url, "cauce runner", settings_of(self._state), exclusive=True)
        heart = _Heart(self._url, self._lease, self._end_dead)
        try:
            if not self._taken(session, how):
                raise Locked(f"another process runs the river of {session.place}")
            (pid,) = session.ask(
                f"insert into {self._lease} values (pg_backend_pid(), pg_backend_pid(), %b, clock_timestamp()) "
                "on conflict (id) do update set holder = excluded.holder, beat = excluded.beat returning pid".encode(),
                [f"{socket.gethostname()}:{os.getpid()}"],
            )[0]
            heart.start(int(pid))
            yield session
        finally:
            heart.stop()
            with suppress(CauceError):
                session.ask(f"delete from {self._lease} where id = pg_backend_pid() returning id".encode())
            with suppress(CauceError):
                session.ask(b"select pg_advisory_unlock_all()")
            session.close()

    def is_held(self) -> bool:
        """Whether a living process holds the lock."""
        return any(not is_dead for _, is_dead in self._holders())

    def close(self) -> None:
        self._asking.close()

    def _taken(self, session: Session, how: str) -> bool:
        if self._tried(session, how):
            return True
        return bool(self._end_dead(session)) and self._tried(session, how)

    def _tried(self, session: Session, how: str) -> bool:
        return bool(session.ask(f"select {how}(%b)".encode(), [self._number])[0][0])

    def _end_dead(self, session: Session) -> list[int]:
        """Ends the sessions of holders that show no sign of life, so that their locks are free."""
        dead = [pid for pid, is_dead in self._holders() if is_dead]
        for pid in dead:
            _logger.warning("ending session %d, which held the river and showed no sign of life", pid)
            session.ask(b"select pg_terminate_backend(%b::int, 2000)", [pid])
            session.change(f"delete from {self._lease} where id = %b".encode(), [pid])
        return dead

    def _holders(self) -> list[tuple[int, bool]]:
        """(session, whether it is dead) of who holds the lock, alone or shared."""
        query = _HOLDER.format(lease=self._lease).encode()
        with self._lock:
            rows = self._asking.ask(query, (DEAD_SECONDS, self._number >> 32, self._number & 0xFFFFFFFF))
        return [(int(pid), bool(is_dead)) for pid, is_dead in rows]


class _Heart:
    """Says every now and then that the holder lives, and looks after those it shares with; over its own connection."""

    def __init__(self, url: str, lease: str, end_dead: Callable[[Session], list[int]]) -> None:
        self._end_dead = end_dead
        self._session = Session(url, "cauce heart", {"jit": "off", "synchronous_commit": "off"})
        self._lease = lease
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, pid: int) -> None:
        self._thread = threading.Thread(target=self._run, args=(pid,), name="lease-heart", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._session.close()

    def _run(self, pid: int) -> None:
        beat = f"update {self._lease} set beat = clock_timestamp() where id = %b".encode()
        while not self._stopping.wait(BEAT_SECONDS):
            with suppress(CauceError):  # a server that is away counts no time either
                self._session.change(beat, [pid])
                self._end_dead(self._session)
