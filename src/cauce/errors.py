"""One tree of errors; every error has a stable code and says what, where, what was expected and how to mend it.

    CauceError                     base: never raised itself
    ├── SettingInvalid             a setting has a value that cannot be used
    ├── DefinitionInvalid          a contract, rule set, computed trait or mapping does not make sense
    ├── NotFound                   what was asked for is not there
    ├── Conflict                   what was asked for contradicts what is there
    │   ├── Shortage               less is there than what was asked for
    │   └── Ended                  what it refers to is no longer open
    ├── Unauthorised               no key, a wrong key, or a key without the right
    ├── Forbidden                  somebody known who may not do this
    ├── Unreadable                 bytes that are not what they claim to be (JSON, gzip, CSV …)
    ├── TooLarge                   a bound was exceeded
    ├── Busy                       try again after `retry_after_seconds`
    │   ├── Locked                 another process holds what this one needs
    │   └── Throttled              too many attempts, or too many requests of one token
    ├── Unsupported                an engine lacks a capability that was asked for
    ├── StorageBroken              an engine failed, or holds what it should not hold
    └── MissingExtra               a feature needs an optional package that is not installed

Bad *data* is never an exception: it is a value with reasons (`cauce.model.Reason`).
Domain errors know no HTTP status; the door maps codes.
"""

from __future__ import annotations


class CauceError(Exception):
    """What went wrong, in one sentence a person can act on; `code` is stable and machine-readable."""

    code = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


class SettingInvalid(CauceError):
    code = "setting_invalid"


class DefinitionInvalid(CauceError):
    code = "definition_invalid"


class NotFound(CauceError):
    code = "not_found"


class Conflict(CauceError):
    code = "conflict"


class Shortage(Conflict):
    """`details` say what was wanted and what can be had."""

    code = "shortage"

    def __init__(self, message: str, *, hint: str = "", details: object = None) -> None:
        super().__init__(message, hint=hint)
        self.details = details


class Ended(Conflict):
    code = "ended"


class Unauthorised(CauceError):
    code = "unauthorised"


class Forbidden(CauceError):
    code = "forbidden"


class Unreadable(CauceError):
    code = "unreadable"


class TooLarge(CauceError):
    code = "too_large"


class Busy(CauceError):
    code = "busy"

    def __init__(self, message: str, *, retry_after_seconds: int = 1, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class Locked(Busy):
    code = "locked"


class Throttled(Busy):
    code = "throttled"


class Unsupported(CauceError):
    code = "unsupported"


class StorageBroken(CauceError):
    code = "storage_broken"


class MissingExtra(CauceError):
    code = "missing_extra"
