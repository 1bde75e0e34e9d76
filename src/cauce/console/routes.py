"""Every page of every area as a route: who asks, what they may, in which language, and what is said when it fails."""

from __future__ import annotations

import gzip
import json
import logging
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from cauce import registry
from cauce.console import guide, static_files
from cauce.console.catalogues import SOURCE_LANGUAGE, catalogues
from cauce.console.frame import ANYBODY, SIGNED_IN, Answer, Area, Led, Page, Sent, Shown
from cauce.console.rendering import FOLDER, keep_compiled, rendered, warm
from cauce.console.visit import Asked, Desk, Visit
from cauce.console.words import words_of
from cauce.errors import CauceError, NotFound, TooLarge, Unauthorised
from cauce.http.guard import visitor_of
from cauce.http.problems import status_of
from cauce.http.readers import Readers

if TYPE_CHECKING:
    from cauce.app import Platform

_log = logging.getLogger(__name__)

LANGUAGE_COOKIE = "cauce_language"
ZONE_COOKIE = "cauce_zone"
THEME_COOKIE = "cauce_theme"
NOTE_COOKIE = "cauce_note"
FORM_BYTES_MAX = 1_048_576
FORM_FIELDS_MAX = 1_000
YEAR_SECONDS = 365 * 86_400
PARTS = (40, 50, 80)
"""From which place on the navigation tells of commerce, of the river, of the installation; before it, of people."""
COMPRESSED_FROM_BYTES = 1_024
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "vary": "accept-encoding, cookie, hx-request",
}


class Place(msgspec.Struct, frozen=True):
    """A page, its area and the area's name."""

    name: str
    area: Area
    page: Page

    @property
    def permission(self) -> str:
        return self.area.permission_of(self.page)


@cache
def areas() -> dict[str, Area]:
    """Every area by name, in the order of the navigation; those without a place last."""
    found = {name: module.AREA for name, module in registry.find("cauce.console.areas", role="AREA").items()}
    return dict(sorted(found.items(), key=lambda each: (each[1].place or 1_000, each[0])))


def places() -> list[Place]:
    """Every page of every area; addresses without parameters first, so that `/sources/new` is no source."""
    found = [Place(name, area, page) for name, area in areas().items() for page in area.pages]
    return sorted(found, key=lambda place: place.page.path.count("{"))


def routes(platform: Platform, readers: Readers) -> list[BaseRoute]:
    """All routes of the console; the last one answers whatever no other route knows."""
    desk = Desk(platform)
    keep_compiled(platform.settings.folder / FOLDER)
    # What everybody sees first is ready before anybody asks; a process beside prepares the rest.
    warm(("sign_in", next(iter(areas()))))
    found: list[BaseRoute] = [static_files.route(), Route("/", _home(desk, readers), methods=["GET"])]
    by_path: dict[str, dict[str, Place]] = {}
    for place in places():
        by_path.setdefault(place.page.path, {})[place.page.method] = place
    for path, by_method in by_path.items():
        found.append(Route(path, _endpoint(desk, readers, by_method), methods=sorted(by_method)))
    found.append(Route("/{path:path}", _elsewhere(desk, readers), methods=["GET", "POST", "PUT", "PATCH", "DELETE"]))
    return found


# -- endpoints --------------------------------------------------------------------------------------------------


def _endpoint(desk: Desk, readers: Readers, by_method: Mapping[str, Place]) -> Any:
    async def endpoint(request: Request) -> Response:
        place = by_method["GET" if request.method == "HEAD" else request.method]
        body = await _body(request) if request.method == "POST" else b""
        return await readers.ask(lambda: _answered(desk, request, place, body))

    return endpoint


def _home(desk: Desk, readers: Readers) -> Any:
    """Leads to the first area that who asks may see."""

    async def home(request: Request) -> Response:
        return await readers.ask(lambda: _first_of(_visit(desk, request, b"")))

    def _first_of(visit: Visit) -> Response:
        if not visit.signed_in:
            return _to_sign_in(visit)
        return _led(visit, Led(next(iter(_navigation(visit)), {"home": "/account"})["home"]))

    return home


def _elsewhere(desk: Desk, readers: Readers) -> Any:
    async def elsewhere(request: Request) -> Response:
        is_looked_at = "visitor" in request.scope.get("state", {})  # not below addresses that ask for nobody
        if not is_looked_at or "text/html" not in request.headers.get("accept", ""):
            raise NotFound(f"there is nothing at {request.url.path}", hint="See docs/reference")
        visit = await readers.ask(lambda: _visit(desk, request, b""))
        return await readers.ask(lambda: _page(visit, _fault(visit, NotFound("")), None))

    return elsewhere


async def _body(request: Request) -> bytes:
    """The body of a form; TooLarge when it is longer than any form of ours."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            break
    return body


def _answered(desk: Desk, request: Request, place: Place, body: bytes) -> Response:
    """The answer of a view, or the page that says why there is none. Blocks: for a reader thread."""
    visit = _visit(desk, request, body)
    if not visit.signed_in and place.permission != ANYBODY:
        return _to_sign_in(visit)
    try:
        return _page(visit, _viewed(visit, place, body), place)
    except Unauthorised:
        return _to_sign_in(visit)
    except CauceError as fault:
        return _page(visit, _fault(visit, fault), place)
    except Exception:  # a fault of ours: who asked gets a page all the same, and the log gets the details
        _log.exception("the page %s could not be made", place.page.path)
        return _page(visit, _broken(visit), place)


def _viewed(visit: Visit, place: Place, body: bytes) -> Answer:
    if len(body) > FORM_BYTES_MAX:
        raise TooLarge(f"expected a form of at most {FORM_BYTES_MAX} bytes")
    if place.permission not in (ANYBODY, SIGNED_IN):
        visit.require(place.permission)
    return place.page.view(visit)


# -- from request to visit --------------------------------------------------------------------------------------


def _visit(desk: Desk, request: Request, body: bytes) -> Visit:
    fields: list[tuple[str, str]] = []
    if 0 < len(body) <= FORM_BYTES_MAX:
        with suppress(ValueError):  # more fields than any form of ours has
            text = body.decode("utf-8", "replace")
            fields = parse_qsl(text, keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX)
    asked = Asked(
        address=request.url.path,
        path={name: str(value) for name, value in request.path_params.items()},
        query=request.query_params,
        form=QueryParams(fields),
        is_partial=request.headers.get("hx-request-type") == "partial",
        base_url=str(request.base_url).rstrip("/"),
        cookies=request.cookies,
        encodings=request.headers.get("accept-encoding", ""),
    )
    words = words_of(language_of(request), request.cookies.get(ZONE_COOKIE, "UTC")[:64])
    return Visit(desk, asked, visitor_of(request), words)


def language_of(request: Request) -> str:
    """The language asked for in the address, else the one chosen before, else the browser's first that we speak.

    With its region when the browser says one: numbers are written otherwise in Mexico than in Spain.
    """
    offered = [part.split(";")[0].strip()[:16] for part in request.headers.get("accept-language", "").split(",")]
    chosen = request.query_params.get("language") or request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in catalogues():
        return next((tag for tag in offered if tag[:2].lower() == chosen), chosen)
    return next((tag for tag in offered if tag[:2].lower() in catalogues()), SOURCE_LANGUAGE)


# -- from answer to response ------------------------------------------------------------------------------------


def _page(visit: Visit, answer: Answer, place: Place | None) -> Response:
    if isinstance(answer, Led):
        return _led(visit, answer)
    if isinstance(answer, Sent):
        headers = {**HEADERS, "content-type": answer.media}
        if answer.filename:
            headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(answer.filename)}"
        return Response(answer.body, headers=headers)
    if not isinstance(answer, Shown):
        assert place is not None
        answer = Shown(place.page.template, answer)
    values = {**_frame(visit, place), **answer.values}
    body = rendered(answer.template, values, visit.words).encode()
    headers = {**HEADERS, "content-type": "text/html; charset=utf-8"}
    if "gzip" in visit.asked.encodings and len(body) >= COMPRESSED_FROM_BYTES:
        body = gzip.compress(body, 4, mtime=0)
        headers["content-encoding"] = "gzip"
    response = Response(body, answer.status, headers)
    if (chosen := visit.query.get("language")) in catalogues():
        response.set_cookie(LANGUAGE_COOKIE, str(chosen), samesite="lax", max_age=YEAR_SECONDS)
    if values["notes"]:
        response.delete_cookie(NOTE_COOKIE)
    if guide.FIELD in visit.query:
        response.set_cookie(guide.COOKIE, guide.stands(visit), samesite="lax", httponly=True)
    return response


def _frame(visit: Visit, place: Place | None) -> dict[str, Any]:
    """What the base template shows around every page."""
    signed_in = visit.signed_in
    area = place.name if place else ""
    theme = visit.asked.cookies.get(THEME_COOKIE, "")
    return {
        "visit": visit,
        "may": visit.may,
        "signed_in": signed_in,
        "who": visit.actor.name if signed_in else "",
        "role": visit.words.role(visit.actor.role) if signed_in else "",
        "csrf": visit.visitor.csrf,
        "navigation": _navigation(visit),
        "area": area,
        "within": (place.area.within or area) if place else "",
        "assets": [f"areas/{area}.css", f"areas/{area}.js"],
        "language": visit.words.language,
        "locale": str(visit.words.locale).replace("_", "-"),
        "zone": str(visit.words.zone),
        "theme": theme if theme in ("light", "dark") else "",
        "languages": [(code, _in_language(visit, code)) for code in catalogues()],
        "notes": _notes(visit),
        "guide": None if visit.asked.is_partial else guide.panel(visit),
    }


def _navigation(visit: Visit) -> list[dict[str, Any]]:
    """The areas that who asks may see; `begins` says where one of another part follows."""
    if not visit.signed_in:
        return []
    seen = [(name, area) for name, area in areas().items() if area.place and visit.may(area.permission)]
    parts = [bisect(PARTS, area.place) for _, area in seen]
    return [
        {
            "name": name,
            "title": visit.say(area.title),
            "home": area.home,
            "icon": area.icon,
            "begins": part != before,
        }
        for (name, area), part, before in zip(seen, parts, parts[:1] + parts, strict=False)
    ]


def _fault(visit: Visit, fault: CauceError) -> Shown:
    """The page (or the message into a page) that says what went wrong and what to do."""
    template = "problem_part.html" if visit.asked.is_partial else "problem.html"
    said, hint = begun(visit.said(fault.message)), begun(visit.said(fault.hint))
    return Shown(template, {"code": fault.code, "said": said, "hint": hint}, status_of(fault))


def begun(text: str) -> str:
    """A sentence with a capital at its beginning, unless it begins with a name or an identifier."""
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text


def _broken(visit: Visit) -> Shown:
    template = "problem_part.html" if visit.asked.is_partial else "problem.html"
    hint = visit.say("It has been noted in the log of the server.")
    return Shown(template, {"code": "error", "said": "", "hint": hint}, 500)


def _to_sign_in(visit: Visit) -> Response:
    if visit.asked.is_partial:  # a session that ended while its page stood open
        return Response(status_code=401, headers={**HEADERS, "hx-refresh": "true"})
    wanted = visit.asked.address + (f"?{visit.query}" if visit.query else "")
    suffix = "" if wanted == "/" else "?" + urlencode({"next": wanted})
    return RedirectResponse(f"/sign-in{suffix}", 303, HEADERS)


def _led(visit: Visit, led: Led) -> Response:
    headers = dict(HEADERS)
    if visit.asked.is_partial:
        response = Response(status_code=200, headers={**headers, "hx-redirect": led.to})
    else:
        response = RedirectResponse(led.to, 303, headers)
    if led.note:
        note = urlsafe_b64encode(json.dumps([led.kind, led.note[:600]]).encode()).decode()
        response.set_cookie(NOTE_COOKIE, note, max_age=60, httponly=True, samesite="lax")
    return response


def _notes(visit: Visit) -> list[dict[str, str]]:
    """What the page before left to be said, once."""
    if visit.asked.is_partial:
        return []
    with suppress(ValueError):
        kind, note = json.loads(urlsafe_b64decode(visit.asked.cookies.get(NOTE_COOKIE, "")))
        if kind in ("good", "warn", "bad") and isinstance(note, str):
            return [{"kind": kind, "text": note}]
    return []


def _in_language(visit: Visit, code: str) -> str:
    """The address of the same page in another language."""
    kept = [(name, value) for name, value in visit.query.multi_items() if name not in ("language", "key", "guide")]
    return "?" + urlencode([*kept, ("language", code)])
