"""Errors that only requests over HTTP can meet; all others are those of `cauce.errors`."""

from __future__ import annotations

from cauce.errors import Conflict


class PreconditionFailed(Conflict):
    """What was to be changed is not what the caller saw."""

    code = "precondition_failed"


class PreconditionRequired(Conflict):
    """A change of a definition must say which state it changes."""

    code = "precondition_required"
