"""Which of the people that were found are wanted: those met in a channel, lately, or known by a kind of identifier."""

from __future__ import annotations

import msgspec

from cauce.profiles.api import Profile


class Fitting(msgspec.Struct, frozen=True):
    """Filters of a search; "" and 0 let everybody pass. `not_before` in microseconds."""

    channel: str = ""
    not_before: int = 0
    kind: str = ""

    @property
    def lets_all_pass(self) -> bool:
        return not (self.channel or self.not_before or self.kind)

    def lets_pass(self, profile: Profile) -> bool:
        return (
            (not self.channel or self.channel in profile.channels)
            and (profile.last_seen or 0) >= self.not_before
            and (not self.kind or any(member.kind == self.kind for member in profile.identifiers))
        )
