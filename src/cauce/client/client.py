"""The client: one attribute per resource, one method per operation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

from msgspec import UNSET

from cauce.client.bookings import Bookings, Resources, WaitingList
from cauce.client.catalogue import Items, Places, Products
from cauce.client.epcis import Epcis
from cauce.client.facts import Facts
from cauce.client.fulfilment import Fulfilment, Pickups
from cauce.client.loyalty import Loyalty, Value
from cauce.client.orders import Baskets, Orders
from cauce.client.resource import PAGE_ITEMS, Resource
from cauce.client.stock import Stock
from cauce.client.transport import TRIES_MAX, Transport
from cauce.client.types import accounts, basics, data, definitions, identity, people, quarantine, sources, status
from cauce.client.types.basics import Page

Word = Literal["refuse", "unrefuse", "join", "unjoin", "retract", "restore"]
Document = dict[str, Any]


class Client:
    """An installation of Cauce over HTTP. Close it, or use `with`.

    Refusals are raised as the errors of `cauce.errors`. What is asked too often, or while the installation is busy, is
    asked again after the time that it says, `tries_max` times in all. Lists are iterators that get their pages as they
    go. `transport` is a transport of httpx, for tests and proxies.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_seconds: float = 30.0,
        tries_max: int = TRIES_MAX,
        transport: Any = None,
    ) -> None:
        self._transport = Transport(
            url, token, timeout_seconds=timeout_seconds, tries_max=tries_max, transport=transport
        )
        self.status = Status(self._transport)
        self.sources = Sources(self._transport)
        self.quarantine = Quarantine(self._transport)
        self.people = People(self._transport)
        self.identity = Identity(self._transport)
        self.contracts = Contracts(self._transport)
        self.computed = Computed(self._transport)
        self.survivorship = Survivorship(self._transport)
        self.definitions = Definitions(self._transport)
        self.sql = Sql(self._transport)
        self.decisions = Decisions(self._transport)
        self.products = Products(self._transport)
        self.items = Items(self._transport)
        self.places = Places(self._transport)
        self.stock = Stock(self._transport)
        self.loyalty = Loyalty(self._transport)
        self.value = Value(self._transport)
        self.pickups = Pickups(self._transport)
        self.fulfilment = Fulfilment(self._transport)
        self.baskets = Baskets(self._transport)
        self.orders = Orders(self._transport)
        self.resources = Resources(self._transport)
        self.bookings = Bookings(self._transport)
        self.waiting = WaitingList(self._transport)
        self.facts = Facts(self._transport)
        self.epcis = Epcis(self._transport)
        self.accounts = Accounts(self._transport)
        self.tokens = Tokens(self._transport)
        self.audit = Audit(self._transport)

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Status(Resource):
    """How the installation stands, and who asks."""

    def get(self) -> status.Status:
        return self._transport.ask("GET", "/v1/status", status.Status)

    def counts(self, by: str = "source") -> status.Counts:
        """Counters by *source*, *hour*, *channel*, *name* or *day*."""
        return self._transport.ask("GET", "/v1/counts", status.Counts, query={"by": by})

    def me(self) -> status.Me:
        """Whose token this is, and what it may do."""
        return self._transport.ask("GET", "/v1/me", status.Me)


class Sources(Resource):
    """Who sends events, with which keys."""

    def list(self) -> Iterator[sources.Source]:
        return self._transport.pages("/v1/sources", Page[sources.Source], {"limit": PAGE_ITEMS})

    def add(self, name: str, channel: str, **more: Any) -> sources.AddedSource:
        """A new source and its first write key, which is shown only now; `more` as in `NewSource`."""
        body = {"name": name, "channel": channel, **more}
        return self._transport.ask("POST", "/v1/sources", sources.AddedSource, body=body)

    def get(self, name: str) -> sources.Source:
        return self._transport.ask("GET", f"/v1/sources/{_part(name)}", sources.Source)

    def change(self, name: str, **changes: Any) -> sources.Source:
        """The source with some fields changed, as in `SourceChange`."""
        return self._transport.ask("PATCH", f"/v1/sources/{_part(name)}", sources.Source, body=changes)

    def arrivals(self, name: str, limit: int = 30) -> sources.SourceItems:
        """The last items of a source as they came, and what became of each."""
        path = f"/v1/sources/{_part(name)}/arrivals"
        return self._transport.ask("GET", path, sources.SourceItems, query={"limit": limit})

    def keys(self, name: str) -> Iterator[sources.Key]:
        return self._transport.pages(f"/v1/sources/{_part(name)}/keys", Page[sources.Key], {})

    def rotate(self, name: str) -> sources.NewKey:
        """A further write key, shown only now."""
        return self._transport.ask("POST", f"/v1/sources/{_part(name)}/keys", sources.NewKey)

    def revoke(self, name: str, hint: str) -> None:
        """Makes the key that ends in `hint` worthless."""
        self._transport.remove(f"/v1/sources/{_part(name)}/keys/{_part(hint)}")

    def secrets(self, name: str) -> Iterator[sources.Secret]:
        """What the source shares with systems that sign what they send, as far as it may be shown."""
        return self._transport.pages(f"/v1/sources/{_part(name)}/secrets", Page[sources.Secret], {})

    def add_secret(self, name: str, connector: str, secret: str, *, purpose: str = "signing") -> sources.Secret:
        """A further secret; purpose *signing* checks what the system sends, *api* opens its own API to a poll."""
        body = {"connector": connector, "secret": secret, "purpose": purpose}
        return self._transport.ask("POST", f"/v1/sources/{_part(name)}/secrets", sources.Secret, body=body)

    def forget(self, name: str, hint: str) -> None:
        """Makes the secret that is known by `hint` worthless."""
        self._transport.remove(f"/v1/sources/{_part(name)}/secrets/{_part(hint)}")

    def connections(self, name: str) -> Iterator[sources.Connection]:
        """The systems that the source is connected to."""
        return self._transport.pages(f"/v1/sources/{_part(name)}/connections", Page[sources.Connection], {})

    def connect(self, name: str, system: str, **addresses: str) -> sources.Connection:
        """Keeps `public_url` and `api_url` of a connection."""
        path = f"/v1/sources/{_part(name)}/connections/{_part(system)}"
        return self._transport.ask("PATCH", path, sources.Connection, body=addresses)


class Quarantine(Resource):
    """Events that were not accepted, and how they are mended."""

    def list(
        self, *, source: str = "", reason: str = "", path: str = "", name: str = "", state: str = "open"
    ) -> Iterator[quarantine.Entry]:
        """Entries, newest first; `state` *any* for all."""
        query = {"source": source, "reason": reason, "path": path, "name": name, "state": state, "limit": PAGE_ITEMS}
        return self._transport.pages("/v1/quarantine", Page[quarantine.Entry], query)

    def groups(self, source: str = "") -> quarantine.Groups:
        return self._transport.ask("GET", "/v1/quarantine/groups", quarantine.Groups, query={"source": source})

    def get(self, position: int) -> quarantine.Entry:
        return self._transport.ask("GET", f"/v1/quarantine/{position}", quarantine.Entry)

    def history(self, position: int) -> quarantine.History:
        return self._transport.ask("GET", f"/v1/quarantine/{position}/history", quarantine.History)

    def replay(
        self,
        positions: Iterable[int] | None = None,
        *,
        filter: quarantine.Filter | None = None,
        patch: Document | None = None,
        steps: Sequence[quarantine.Step] = (),
        raw: Document | None = None,
        also_failing: bool = False,
        after: int = 0,
        dry_run: bool = False,
    ) -> quarantine.Replayed:
        """Mends entries and sends them through the river again; see `quarantine.Replay`."""
        body = quarantine.Replay(
            positions=UNSET if positions is None else list(positions),
            filter=UNSET if filter is None else filter,
            patch=UNSET if patch is None else patch,
            steps=list(steps),
            raw=UNSET if raw is None else raw,
            also_failing=also_failing,
            after=after,
            dry_run=dry_run,
        )
        return self._transport.ask("POST", "/v1/quarantine/replay", quarantine.Replayed, body=body)

    def drop(
        self,
        positions: Iterable[int] | None = None,
        *,
        why: str,
        filter: quarantine.Filter | None = None,
        dry_run: bool = False,
    ) -> quarantine.Dropped:
        """Gives entries up."""
        body = quarantine.Drop(
            why=why,
            positions=UNSET if positions is None else list(positions),
            filter=UNSET if filter is None else filter,
            dry_run=dry_run,
        )
        return self._transport.ask("POST", "/v1/quarantine/drop", quarantine.Dropped, body=body)


class People(Resource):
    """Who somebody is, what they did, what they allow. `key` is `kind:value` or a person id."""

    def search(
        self, text: str, limit: int = 20, *, channel: str = "", since: str | datetime = "", kind: str = ""
    ) -> Iterator[people.Hit]:
        """People who fit an identifier or a name, best first; `limit` in all.

        Only those met in a `channel`, or `since` a moment or day, or known by a `kind` of identifier, when one is said.
        """
        moment = since.isoformat() if isinstance(since, datetime) else since
        query = {"q": text, "limit": min(limit, 100), "channel": channel, "since": moment, "kind": kind}
        found = self._transport.pages("/v1/people", Page[people.Hit], query)
        return (hit for _, hit in zip(range(limit), found, strict=False))

    def get(self, key: str, *, as_of: str | datetime = "") -> people.Profile:
        """The profile, today or `as_of` a past moment or day."""
        moment = as_of.isoformat() if isinstance(as_of, datetime) else as_of
        return self._transport.ask("GET", _person(key), people.Profile, query={"as_of": moment})

    def traits(self, key: str) -> people.Traits:
        return self._transport.ask("GET", _person(key, "traits"), people.Traits)

    def identifiers(self, key: str) -> people.Identifiers:
        return self._transport.ask("GET", _person(key, "identifiers"), people.Identifiers)

    def consents(self, key: str) -> people.Consents:
        return self._transport.ask("GET", _person(key, "consents"), people.Consents)

    def timeline(
        self,
        key: str,
        *,
        channels: Sequence[str] = (),
        events: Sequence[str] = (),
        page_events: int = PAGE_ITEMS,
        **more: str,
    ) -> Iterator[people.TimelineEvent]:
        """Events of all channels, newest first; pages are asked for as they are needed.

        `more` as in `TimelineQuery`: text, since, until, as_of.
        """
        chosen = {"channel": list(channels), "event": list(events), **more}
        query: dict[str, Any] = {"limit": page_events, "cursor": "", **chosen}
        while True:
            page = self._transport.ask("GET", _person(key, "timeline"), people.Timeline, query=query)
            yield from page.events
            if not page.cursor:
                return
            query["cursor"] = page.cursor

    def shopping(self, key: str) -> people.Shopping:
        """What they looked at, left in baskets, bought and gave back."""
        return self._transport.ask("GET", _person(key, "shopping"), people.Shopping)

    def links(self, key: str) -> people.Links:
        """The evidence between the identifiers of a person."""
        return self._transport.ask("GET", _person(key, "links"), people.Links)

    def export(self, key: str) -> people.Export:
        """Everything that is stored about a person."""
        return self._transport.ask("GET", _person(key, "export"), people.Export)

    def erase(self, key: str, *, why: str, suppress: bool = True, dry_run: bool = False) -> people.Erased:
        """Erases a person everywhere; it cannot be undone."""
        body = people.Erase(why=why, suppress=suppress, dry_run=dry_run)
        return self._transport.ask("POST", _person(key, "erase"), people.Erased, body=body)

    def set_trait(self, key: str, trait: str, value: Any, *, why: str) -> basics.Decided:
        """A steward's word about a trait; None takes it back."""
        path = f"{_person(key, 'traits')}/{_part(trait)}"
        return self._transport.ask("PUT", path, basics.Decided, body=people.TraitWord(value=value, why=why))


class Identity(Resource):
    """Why identifiers are one person, and what stewards say about it."""

    def rules(self) -> identity.Rules:
        return self._transport.ask("GET", "/v1/identity/rules", identity.Rules)

    def apply_rules(self, rules: Document, *, overwrite: bool = False) -> identity.Rules:
        """Applies rules in the place of those that were read; see `Transport.change`."""
        body = identity.NewRules(rules=rules)
        return self._transport.change("PUT", "/v1/identity/rules", identity.Rules, body=body, overwrite=overwrite)

    def try_rules(self, rules: Document) -> identity.RulesTried:
        """What rules would do; changes nothing."""
        body = identity.NewRules(rules=rules)
        return self._transport.ask("POST", "/v1/identity/rules/try", identity.RulesTried, body=body)

    def start_trial(self, rules: Document) -> identity.Trial:
        """Begins to find out what rules would do, beside; ask `trial` until it is done."""
        body = identity.NewRules(rules=rules)
        return self._transport.ask("POST", "/v1/identity/trials", identity.Trial, body=body)

    def trials(self) -> Sequence[identity.Trial]:
        """The last trials, latest first."""
        return self._transport.ask("GET", "/v1/identity/trials", Page[identity.Trial]).items

    def trial(self, id: str) -> identity.Trial:
        return self._transport.ask("GET", f"/v1/identity/trials/{_part(id)}", identity.Trial)

    def stop_trial(self, id: str) -> None:
        self._transport.remove(f"/v1/identity/trials/{_part(id)}")

    def explain(self, a: str, b: str) -> identity.Explanation:
        return self._transport.ask("GET", "/v1/identity/explain", identity.Explanation, query={"a": a, "b": b})

    def clusters(self) -> Iterator[identity.Cluster]:
        return self._transport.pages("/v1/identity/clusters", Page[identity.Cluster], {"limit": PAGE_ITEMS})

    def shared(self) -> Iterator[people.Identifier]:
        return self._transport.pages("/v1/identity/shared", Page[people.Identifier], {"limit": PAGE_ITEMS})

    def queue(self, limit: int = 50) -> Sequence[identity.QueueEntry]:
        """What a steward should look at, the worst first."""
        found = self._transport.ask("GET", "/v1/identity/queue", Page[identity.QueueEntry], query={"limit": limit})
        return found.items

    def meetings(self, limit: int = 50) -> Sequence[identity.Meeting]:
        """Who became one person lately, the newest first."""
        found = self._transport.ask("GET", "/v1/identity/meetings", Page[identity.Meeting], query={"limit": limit})
        return found.items

    def decisions(self) -> Iterator[identity.PairDecision]:
        return self._transport.pages("/v1/identity/decisions", Page[identity.PairDecision], {"limit": PAGE_ITEMS})

    def decide(self, decision: Word, a: str, b: str, *, why: str, dry_run: bool = False) -> identity.PairDecided:
        """A steward's word about two identifiers: *refuse*, *join*, *retract*, or what takes it back."""
        body = identity.NewPairDecision(decision=decision, a=a, b=b, why=why, dry_run=dry_run)
        return self._transport.ask("POST", "/v1/identity/decisions", identity.PairDecided, body=body)


class Contracts(Resource):
    """What events must look like. What is changed must have been read with this client, or be overwritten."""

    def list(self) -> Iterator[definitions.Contract]:
        return self._transport.pages("/v1/contracts", Page[definitions.Contract], {"limit": PAGE_ITEMS})

    def breaches(self) -> definitions.Breaches:
        return self._transport.ask("GET", "/v1/contracts/breaches", definitions.Breaches)

    def unknown(self) -> definitions.UnknownEvents:
        return self._transport.ask("GET", "/v1/contracts/unknown", definitions.UnknownEvents)

    def set_unknown(
        self, default: str = "accept", sources: dict[str, str] | None = None, *, overwrite: bool = False
    ) -> definitions.UnknownEvents:
        """What happens to events without contract: *accept* or *quarantine*, by default and by source."""
        body = {"default": default, "sources": sources or {}}
        kind = definitions.UnknownEvents
        return self._transport.change("PUT", "/v1/contracts/unknown", kind, body=body, overwrite=overwrite)

    def get(self, key: str) -> definitions.Contract:
        return self._transport.ask("GET", _contract(key), definitions.Contract)

    def apply(
        self, key: str, definition: Document, *, overwrite: bool = False, dry_run: bool = False
    ) -> definitions.Contract:
        """A contract, new or in the place of the one of the same key."""
        body = definitions.Definition(definition=definition, dry_run=dry_run)
        return self._transport.change("PUT", _contract(key), definitions.Contract, body=body, overwrite=overwrite)

    def remove(self, key: str, *, overwrite: bool = False) -> None:
        self._transport.remove(_contract(key), overwrite=overwrite)


class Computed(Resource):
    """Computed traits. What is changed must have been read with this client, or be overwritten."""

    def list(self) -> Iterator[definitions.ComputedTrait]:
        return self._transport.pages("/v1/computed-traits", Page[definitions.ComputedTrait], {"limit": PAGE_ITEMS})

    def get(self, name: str) -> definitions.ComputedTrait:
        return self._transport.ask("GET", f"/v1/computed-traits/{_part(name)}", definitions.ComputedTrait)

    def apply(
        self, name: str, definition: Document, *, overwrite: bool = False, dry_run: bool = False
    ) -> definitions.ComputedTrait:
        """A computed trait, new or in the place of the one of the same name; filled from the whole history."""
        body = definitions.Definition(definition=definition, dry_run=dry_run)
        path, kind = f"/v1/computed-traits/{_part(name)}", definitions.ComputedTrait
        return self._transport.change("PUT", path, kind, body=body, overwrite=overwrite)

    def sample(self, definition: Document, people: int = 5) -> Sequence[definitions.Sample]:
        """What a trait would say of some people before it is applied; changes nothing."""
        body = definitions.TraitToSample(definition=definition, people=people)
        return self._transport.ask("POST", "/v1/computed-traits/sample", definitions.Samples, body=body).items

    def remove(self, name: str, *, overwrite: bool = False) -> None:
        self._transport.remove(f"/v1/computed-traits/{_part(name)}", overwrite=overwrite)


class Survivorship(Resource):
    """Which value of a trait wins."""

    def get(self) -> definitions.Survivorship:
        return self._transport.ask("GET", "/v1/survivorship", definitions.Survivorship)

    def apply(
        self, survivorship: Document, *, overwrite: bool = False, dry_run: bool = False
    ) -> definitions.Survivorship:
        """Rules in the place of those that were read."""
        body = definitions.NewSurvivorship(survivorship=survivorship, dry_run=dry_run)
        kind = definitions.Survivorship
        return self._transport.change("PUT", "/v1/survivorship", kind, body=body, overwrite=overwrite)


class Definitions(Resource):
    """Every version of contracts, computed traits, survivorship and identity rules."""

    def versions(self, sort: str, name: str) -> definitions.Versions:
        """Versions of a *contract*, *trait*, *survivorship* or *identity* rules, oldest first."""
        path = f"/v1/definitions/{_part(sort)}/versions"
        return self._transport.ask("GET", path, definitions.Versions, query={"name": name})


class Sql(Resource):
    """Questions in SQL."""

    def ask(self, statement: str, *, rows_max: int = 1_000) -> data.Result:
        body = data.Statement(statement=statement, rows_max=rows_max)
        return self._transport.ask("POST", "/v1/sql", data.Result, body=body)

    def saved(self) -> Iterator[data.SavedStatement]:
        """The statements that you keep."""
        return self._transport.pages("/v1/sql/saved", Page[data.SavedStatement], {"limit": PAGE_ITEMS})

    def save(self, name: str, statement: str) -> data.SavedStatement:
        """Keeps a statement; another one of the same name is replaced."""
        body = data.NewSavedStatement(name=name, statement=statement)
        return self._transport.ask("POST", "/v1/sql/saved", data.SavedStatement, body=body)

    def get(self, id: str) -> data.SavedStatement:
        return self._transport.ask("GET", f"/v1/sql/saved/{_part(id)}", data.SavedStatement)

    def forget(self, id: str) -> None:
        self._transport.remove(f"/v1/sql/saved/{_part(id)}")

    def views(self) -> list[str]:
        return self._transport.ask("GET", "/v1/sql/views", data.Views).views


class Decisions(Resource):
    """What people decided, as it stands in the log."""

    def list(self, name: str = "") -> Iterator[data.Decision]:
        return self._transport.pages("/v1/decisions", Page[data.Decision], {"name": name, "limit": PAGE_ITEMS})


class Accounts(Resource):
    """Who may sign in, and as what."""

    def list(self) -> Iterator[accounts.Account]:
        return self._transport.pages("/v1/accounts", Page[accounts.Account], {"limit": PAGE_ITEMS})

    def add(self, name: str, role: str, *, extra: Sequence[str] = ()) -> accounts.Invitation:
        """A new account, and the link by which its owner chooses a password."""
        body = accounts.NewAccount(name=name, role=role, extra=list(extra))
        return self._transport.ask("POST", "/v1/accounts", accounts.Invitation, body=body)

    def get(self, name: str) -> accounts.Account:
        return self._transport.ask("GET", f"/v1/accounts/{_part(name)}", accounts.Account)

    def change(self, name: str, *, overwrite: bool = False, **changes: Any) -> accounts.Account:
        """The account with role, extra or enabled changed."""
        path = f"/v1/accounts/{_part(name)}"
        return self._transport.change("PATCH", path, accounts.Account, body=changes, overwrite=overwrite)

    def invite(self, name: str) -> accounts.Invitation:
        """A link in the place of an earlier one."""
        return self._transport.ask("POST", f"/v1/accounts/{_part(name)}/invitation", accounts.Invitation)

    def sessions(self, name: str) -> Sequence[accounts.Session]:
        """The browsers that an account is signed in with."""
        path = f"/v1/accounts/{_part(name)}/sessions"
        return self._transport.ask("GET", path, Page[accounts.Session]).items

    def end_sessions(self, name: str) -> None:
        """Signs an account out everywhere."""
        self._transport.remove(f"/v1/accounts/{_part(name)}/sessions")


class Tokens(Resource):
    """How programs identify themselves."""

    def list(self) -> Iterator[accounts.Token]:
        return self._transport.pages("/v1/tokens", Page[accounts.Token], {"limit": PAGE_ITEMS})

    def make(self, name: str, scopes: Sequence[str], *, account: str = "", days: int = 90) -> accounts.MadeToken:
        """A new token; its secret is shown only now."""
        body = accounts.NewToken(name=name, scopes=list(scopes), account=account or UNSET, days=days)
        return self._transport.ask("POST", "/v1/tokens", accounts.MadeToken, body=body)

    def revoke(self, token: str) -> None:
        """Makes a token worthless, by id or name."""
        self._transport.remove(f"/v1/tokens/{_part(token)}")


class Audit(Resource):
    """Who looked at whom, and who did what."""

    def list(
        self, *, actor: str = "", action: str = "", subject: str = "", after: str = "", before: str = ""
    ) -> Iterator[accounts.AuditEntry]:
        """Entries, newest first."""
        query = {"actor": actor, "action": action, "subject": subject, "after": after, "before": before}
        return self._transport.pages("/v1/audit", Page[accounts.AuditEntry], {**query, "limit": PAGE_ITEMS})


def _part(text: str) -> str:
    """One step of a path, whatever it holds."""
    return quote(text, safe=":@")


def _person(key: str, part: str = "") -> str:
    return f"/v1/people/{_part(key)}" + (f"/{part}" if part else "")


def _contract(key: str) -> str:
    return f"/v1/contracts/{_part(key)}"
