"""What lists of people share."""

from __future__ import annotations

from cauce.console.areas.person_parts import Subject, name_of
from cauce.console.visit import Visit
from cauce.identity.api import text_of
from cauce.profiles.api import Profile


def called(visit: Visit, profile: Profile) -> str:
    """What a person is called in a list, as far as it may be shown: the same as on their own page."""
    subject = Subject(visit, profile.person, text_of(profile.person), "", None, visit.may("people.personal"))
    return name_of(subject, profile)
