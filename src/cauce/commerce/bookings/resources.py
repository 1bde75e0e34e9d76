"""Resources: put in, changed, retired."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from cauce.commerce.bookings import rules
from cauce.commerce.bookings.nouns import Resource
from cauce.commerce.bookings.store import RESOURCES, ResourceRow
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.errors import Conflict, Ended, NotFound


class PutResource(Command, frozen=True, kw_only=True):
    """A resource as it is from now on. `expected` is the version it is made from, None: whichever.

    What was booked stays as it was booked, also where the slots are other ones now.
    """

    resource: Resource
    expected: int | None = None


class RetireResource(Command, frozen=True, kw_only=True):
    """A resource cannot be booked any more, or (`retired` false) can be again. What was booked stays."""

    id: str
    retired: bool = True


def put(work: Work, command: PutResource) -> Resource:
    wanted = rules.checked(command.resource)
    row = work.get(RESOURCES, wanted.id)
    version = row.version if row else 0
    if command.expected is not None and command.expected != version:
        raise Conflict(f"the resource {wanted.id} was changed since", hint="Read it again, and repeat your change")
    return _stored(work, replace(wanted, version=version + 1))


def retire(work: Work, command: RetireResource) -> Resource:
    found = resource(work, command.id)
    return _stored(work, replace(found, retired=command.retired, version=found.version + 1))


def resource(work: Work, id_: str) -> Resource:
    """The resource; NotFound when there is none."""
    row = work.get(RESOURCES, id_)
    if row is None:
        raise NotFound(f"there is no resource {id_[:80]!r}")
    return msgspec.json.decode(row.body, type=Resource)


def open_resource(work: Work, id_: str) -> Resource:
    """The resource; Ended when it is retired."""
    found = resource(work, id_)
    if found.retired:
        raise Ended(f"{found.name} cannot be booked any more")
    return found


def _stored(work: Work, found: Resource) -> Resource:
    body = msgspec.json.encode(found).decode()
    work.put(RESOURCES, ResourceRow(found.id, found.kind, found.place, int(found.retired), found.version, body))
    return found


ACTIONS = (Action(PutResource, put, Resource), Action(RetireResource, retire, Resource))
