"""What somebody gets to see of a person: everything, or personal values masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cauce.access.api import Actor
from cauce.profiles.masking import MASK, masked, masked_name, masked_text, masked_trait

PERSONAL = "people.personal"


class Sight:
    """Shows values as they are, or masked."""

    def __init__(self, personal: bool) -> None:
        self.personal = personal

    def value(self, value: str) -> str:
        """The value of an identifier."""
        return value if self.personal else masked(value)

    def name(self, text: str) -> str:
        """The name of a person."""
        return text if self.personal else masked_name(text)

    def key(self, text: str) -> str:
        """An identifier as `kind:value`, or a person id."""
        return text if self.personal else masked_text(text)

    def trait(self, name: str, value: Any) -> Any:
        """The value of a trait or property."""
        return value if self.personal else masked_trait(name, value)

    def why(self, text: str, *, free: bool) -> str:
        """A reason; one that a person wrote freely may hold anything."""
        return text if self.personal or not free else MASK

    def traits(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return dict(values) if self.personal else {name: masked_trait(name, value) for name, value in values.items()}


PLAIN = Sight(personal=True)
MASKING = Sight(personal=False)


def sight_of(actor: Actor) -> Sight:
    """What somebody's permissions let them see."""
    return PLAIN if actor.may(PERSONAL) else MASKING
