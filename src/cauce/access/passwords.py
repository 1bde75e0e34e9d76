"""Passwords: which are refused (NIST SP 800-63B), and argon2id with the parameters of RFC 9106."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cauce.errors import Busy, DefinitionInvalid

if TYPE_CHECKING:
    from argon2 import PasswordHasher

CHARACTERS_MIN = 12
CHARACTERS_MAX = 256
GUESSES_MIN = 10**8
"""What an estimate of guesses must reach: below it stand the passwords that attackers try first."""
ESTIMATED_CHARACTERS_MAX = 72
OWN_CHARACTERS_MIN = 4
WAIT_SECONDS = 2.0
AT_ONCE = 2
"""Hashes computed side by side: each takes 64 MiB."""

_COMMON = """
    contraseña contrasena clave acceso bienvenido bienvenida hola teamo tequiero miclave usuario administrador barcelona
    madrid sevilla valencia españa espana realmadrid betis atletico primavera verano otoño invierno enero febrero marzo
    abril mayo junio julio agosto septiembre octubre noviembre diciembre lunes martes viernes mariposa princesa estrella
    corazon chocolate guitarra tienda empresa cliente ventas cauce
"""
COMMON_WORDS = tuple(_COMMON.split())
"""Words that the estimator, which knows English, does not know to be common."""


class Passwords:
    """Hashes and compares passwords, a few at a time."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._given = hasher
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._nobody = ""

    def hash(self, password: str) -> str:
        """The password as it is stored."""
        with self._place():
            return self._hasher.hash(_normal(password))

    def matches(self, stored: str, password: str) -> bool:
        """Whether it is the password; as slow when `stored` is "" (nobody of that name, or no password yet)."""
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 see _hasher

        if not self._nobody:
            self._nobody = self.hash("nobody's")
        with self._place():
            try:
                return self._hasher.verify(stored or self._nobody, _normal(password)[:CHARACTERS_MAX]) and stored != ""
            except (VerificationError, InvalidHashError):
                return False

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the places to compute a hash; Busy when there is none soon, so that a flood holds up nobody else."""
        if not self._places.acquire(timeout=WAIT_SECONDS):
            raise Busy("too many people sign in at this moment", retry_after_seconds=2)
        try:
            yield
        finally:
            self._places.release()

    def is_old(self, stored: str) -> bool:
        """Whether it was hashed with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    @property
    def _hasher(self) -> PasswordHasher:
        if self._given is None:
            from argon2 import PasswordHasher  # noqa: PLC0415 commands that see no password start without it
            from argon2.profiles import RFC_9106_LOW_MEMORY  # noqa: PLC0415 see above

            self._given = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        return self._given


FAULTS = {
    "short": f"expected a password of at least {CHARACTERS_MIN} characters",
    "long": f"expected a password of at most {CHARACTERS_MAX} characters",
    "name": "expected a password without the account's own name in it",
    "common": "expected a password that is not among the first that others try",
}
"""What may be wrong with a password, by code."""


def fault_of(password: str, *, name: str) -> str:
    """The code of what is wrong with a password for the account of that name; "" when it is good."""
    password = _normal(password)
    if len(password) < CHARACTERS_MIN:
        return "short"
    if len(password) > CHARACTERS_MAX:
        return "long"
    own = name.partition("@")[0]
    if len(own) >= OWN_CHARACTERS_MIN and own in password.lower():
        return "name"
    return "common" if guesses(password, own) < GUESSES_MIN else ""


def check(password: str, *, name: str) -> None:
    """PasswordRefused, with the reason, for a password that is too short, too long, or guessed first."""
    fault = fault_of(password, name=name)
    if fault:
        raise PasswordRefused(fault)


class PasswordRefused(DefinitionInvalid):
    """A password that may not be chosen; `fault` is one of `FAULTS`."""

    def __init__(self, fault: str) -> None:
        super().__init__(FAULTS[fault], hint="Three or four words that do not belong together are good")
        self.fault = fault


def guesses(password: str, name: str) -> float:
    """About how many guesses an attacker with lists of passwords and words needs."""
    from zxcvbn import zxcvbn  # noqa: PLC0415 commands that see no password start without its long lists

    return float(zxcvbn(password[:ESTIMATED_CHARACTERS_MAX], user_inputs=[name, *COMMON_WORDS])["guesses"])


def _normal(password: str) -> str:
    """The same password however the keyboard composes its letters."""
    return unicodedata.normalize("NFKC", password)
