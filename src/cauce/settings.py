"""One table of settings: name, default, unit, environment variable and help.

Nothing else in Cauce reads the environment. Unknown names are refused with the nearest known one; all faults are
reported at once, at start.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from cauce.errors import SettingInvalid
from cauce.registry import nearest


class Setting(msgspec.Struct, frozen=True):
    """One row of the table; `low`/`high` bound numbers, `choices` bound texts; the environment name follows."""

    name: str
    default: str | int | bool
    unit: str
    help: str
    low: int = 0
    high: int = 2**62
    choices: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()
    """For what may also be a URL: how that begins. Its password is shown nowhere."""

    @property
    def variable(self) -> str:
        return f"CAUCE_{self.name.upper()}"


EMBEDDED = "embedded"

TABLE: tuple[Setting, ...] = (
    Setting("data", "cauce-data", "folder", "Folder of log, state and history of an embedded installation."),
    Setting(
        "tables",
        EMBEDDED,
        "place",
        "Where log, state and accounts live: embedded (files in the data folder), or postgresql://user@host/database.",
        choices=(EMBEDDED,),
        schemes=("postgresql", "postgres"),
    ),
    Setting("host", "127.0.0.1", "address", "Address that the HTTP door listens on."),
    Setting("port", 8080, "port", "Port that the HTTP door listens on; 0 takes a free one.", 0, 65_535),
    Setting(
        "public_url",
        "",
        "URL",
        "Where customers reach this installation (https://cauce.tienda.es), for links in messages; empty for links "
        "without a host.",
    ),
    Setting(
        "hooks_private",
        False,
        "true or false",
        "Whether webhooks may go to addresses of one's own network and without https, as in tests and closed networks.",
    ),
    Setting("event_bytes_max", 32_768, "bytes", "Largest single event; a larger one is quarantined.", 256, 2**26),
    Setting("request_bytes_max", 4_194_304, "bytes", "Largest request body, compressed or not.", 1_024, 2**28),
    Setting("request_events_max", 100_000, "events", "Most events in one request; a longer one is refused.", 1, 2**20),
    Setting("queue_bytes_max", 67_108_864, "bytes", "Bytes waiting for the disk before 503 is answered.", 2**16, 2**32),
    Setting("backlog_bytes_max", 0, "bytes", "Unprocessed log before 429 is answered; 0 for no bound.", 0),
    Setting("batch_records", 500, "records", "Most log records in one batch of the runner.", 1, 100_000),
    Setting("batch_bytes", 8_000_000, "bytes", "Most log bytes in one batch of the runner.", 1_024, 2**30),
    Setting("history_rows", 100_000, "rows", "Stored events after which a history file is written.", 1, 10**7),
    Setting("history_seconds", 60, "seconds", "Age of the oldest unwritten event that triggers a history file.", 1),
    Setting("history_files_max", 8, "files", "Files of one day before they are compacted into one.", 2, 1_000),
    Setting("component_identifiers_max", 2_000, "identifiers", "Largest unconstrained component solved live.", 10),
    Setting("future_seconds_max", 86_400, "seconds", "How far ahead of receipt an event may lie.", 0),
    Setting("past_days_max", 36_500, "days", "How far before receipt an event may lie.", 1),
    Setting("cache_identifiers", 200_000, "identifiers", "Identifiers kept in the runner's memory.", 1_000),
    Setting("session_idle_seconds", 28_800, "seconds", "Time without a request after which a sign-in ends.", 60),
    Setting("session_seconds_max", 604_800, "seconds", "Time after which a sign-in ends in any case.", 60),
    Setting("link_hours", 48, "hours", "How long an invitation and the owner's first link work.", 1, 720),
    Setting("token_requests_per_minute", 12_000, "requests", "Most requests a minute of one token, per process.", 1),
    Setting("streams_max", 100, "streams", "Most streams of events that one process serves at a time.", 1, 10_000),
    Setting("token_streams_max", 10, "streams", "Most of these streams of one token, per process.", 1, 10_000),
    Setting(
        "audit_addresses",
        "masked",
        "form",
        "How network addresses are kept in the audit trail and in sessions.",
        choices=("masked", "whole", "none"),
    ),
    Setting("audit_days", 1_095, "days", "Age at which entries of the audit trail are dropped; 0 for never."),
    Setting("oidc_issuer", "", "URL", "OpenID provider by which people may sign in; empty for none (extra `oidc`)."),
    Setting("oidc_client", "", "name", "What the OpenID provider calls this installation (client id)."),
    Setting("oidc_client_secret_file", "", "file", "File with the client secret; empty for a public client."),
    Setting("oidc_scopes", "openid email profile", "names", "What the OpenID provider is asked for."),
    Setting("oidc_name_claim", "email", "claim", "Claim of the id token that becomes the account's name."),
    Setting("oidc_role_claim", "roles", "claim", "Claim that gives the role; dots lead into objects."),
    Setting("oidc_roles", "", "pairs", "Which value of that claim gives which role: *cdp=owner, care=agent*."),
    Setting("log_level", "info", "level", "How much is logged.", choices=("debug", "info", "warning", "error")),
)

_BY_NAME = {setting.name: setting for setting in TABLE}


class Settings:
    """Validated settings, read as attributes: `settings.port`. Immutable; `changed` gives a copy."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        faults: list[str] = []
        self._values: dict[str, Any] = {setting.name: setting.default for setting in TABLE}
        for name, value in (values or {}).items():
            setting = _BY_NAME.get(name)
            if setting is None:
                faults.append(f"there is no setting {name!r}. {nearest(name, list(_BY_NAME))}")
                continue
            try:
                self._values[name] = _read(setting, value)
            except ValueError as fault:
                faults.append(str(fault))
        if faults:
            raise SettingInvalid("; ".join(faults))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **values: Any) -> Settings:
        """Settings of the environment (`CAUCE_…`), overridden by `values` that are not None."""
        environment = os.environ if environment is None else environment
        known = {setting.variable: setting.name for setting in TABLE}
        strangers = {"CAUCE_REQUIRE"}
        found: dict[str, Any] = {}
        for variable, value in environment.items():
            if variable.startswith("CAUCE_") and variable not in strangers:
                found[known.get(variable, variable.removeprefix("CAUCE_").lower())] = value
        found.update({name: value for name, value in values.items() if value is not None})
        return cls(found)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(f"there is no setting {name!r}. {nearest(name, list(_BY_NAME))}") from None

    def changed(self, **values: Any) -> Settings:
        """A copy with some values replaced."""
        return Settings({**self._values, **values})

    @property
    def folder(self) -> Path:
        """The data folder as a path."""
        return Path(self._values["data"])

    def as_dict(self) -> dict[str, Any]:
        """All values, for people: passwords are left out."""
        return {
            setting.name: _without_password(self._values[setting.name])
            if setting.schemes
            else self._values[setting.name]
            for setting in TABLE
        }


def _read(setting: Setting, value: Any) -> str | int | bool:
    if isinstance(setting.default, bool):
        if str(value).lower() not in ("0", "1", "true", "false"):
            raise ValueError(f"expected {setting.name} to be true or false, got {value!r}")
        return str(value).lower() in ("1", "true")
    if isinstance(setting.default, int):
        try:
            number = int(str(value))
        except ValueError:
            raise ValueError(f"expected {setting.name} to be a whole number of {setting.unit}, got {value!r}") from None
        if not setting.low <= number <= setting.high:
            raise ValueError(f"expected {setting.name} to be {setting.low}–{setting.high} {setting.unit}, got {number}")
        return number
    text = str(value)
    if setting.schemes and text.partition("://")[0] in setting.schemes and "://" in text:
        return text
    if setting.choices and text not in setting.choices:
        known = [*setting.choices, *(f"{scheme}://…" for scheme in setting.schemes)]
        raise ValueError(f"expected {setting.name} to be one of {', '.join(known)}, got {_without_password(text)!r}")
    return text


def _without_password(text: str) -> str:
    """A URL without what stands between the user and the host, and without the password among its options."""
    text = re.sub(r"(://[^:/@?#]*):[^/?#]*@", r"\1:***@", text)
    return re.sub(r"(?i)((?:^|[?&\s])(?:ssl)?password=)[^&\s]*", r"\1***", text)
