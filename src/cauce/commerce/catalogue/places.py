"""Places: put in, changed, retired."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from cauce.commerce.catalogue.nouns import Place
from cauce.commerce.catalogue.products import Put, refuse_outdated
from cauce.commerce.catalogue.rules import checks
from cauce.commerce.catalogue.store import PLACES, PlaceRow
from cauce.commerce.transact.work import Work
from cauce.commerce.transact.writer import Action, Command
from cauce.errors import Conflict, NotFound


class PutPlace(Command, frozen=True, kw_only=True):
    """A place as it is from now on. `by` and `expected` as in `PutProduct`."""

    place: Place
    by: str = ""
    expected: int | None = None


class RetirePlace(Command, frozen=True, kw_only=True):
    """A place is closed for good, or (`retired` false) is not."""

    id: str
    retired: bool = True
    by: str = ""


def put_place(work: Work, command: PutPlace) -> Put:
    """Conflict when its GLN is another place's, or when it is not of the expected version any more."""
    wanted = checks.place(command.place)
    row = work.get(PLACES, wanted.id)
    before = msgspec.json.decode(row.body, type=Place) if row else None
    refuse_outdated(command.expected, before.version if before else 0, f"the place {wanted.id}")
    if before is not None and replace(before, version=0, changed=0, changed_by="") == wanted:
        return Put(id=wanted.id, change="unchanged", version=before.version)
    if wanted.gln and (before is None or before.gln != wanted.gln):
        owners = work.select(PLACES, "gln = ? and id <> ?", wanted.gln, wanted.id)
        if owners:
            raise Conflict(f"the GLN {wanted.gln} is that of the place {owners[0].id}", hint="One GLN means one place")
    version = before.version + 1 if before else 1
    _store(work, replace(wanted, version=version, changed=work.now, changed_by=command.by))
    return Put(id=wanted.id, change="changed" if before else "added", version=version)


def retire_place(work: Work, command: RetirePlace) -> Put:
    row = work.get(PLACES, command.id)
    if row is None:
        raise NotFound(f"there is no place {command.id[:80]!r}")
    before = msgspec.json.decode(row.body, type=Place)
    if before.retired == command.retired:
        return Put(id=before.id, change="unchanged", version=before.version)
    changed = replace(
        before, retired=command.retired, version=before.version + 1, changed=work.now, changed_by=command.by
    )
    _store(work, changed)
    return Put(id=before.id, change="changed", version=changed.version)


def _store(work: Work, place: Place) -> None:
    body = msgspec.json.encode(place).decode()
    work.put(PLACES, PlaceRow(place.id, place.kind, place.gln, int(place.retired), body))


ACTIONS = (Action(PutPlace, put_place, Put), Action(RetirePlace, retire_place, Put))
