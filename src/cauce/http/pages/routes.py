"""Routes of the pages, sign-in by access key, language by the browser with a switch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cauce.errors import NotFound
from cauce.http.pages import views
from cauce.http.pages.words import code, texts, words_of

if TYPE_CHECKING:
    from cauce.app import Platform
    from cauce.http.people import Readers

COOKIE = "cauce_key"
LANGUAGE_COOKIE = "cauce_language"
ASSETS = {"style.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
FORM_BYTES_MAX = 4_096
YEAR_SECONDS = 365 * 86_400


@cache
def templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("cauce.http", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["code"] = code
    return environment


def routes(platform: Platform, readers: Readers) -> list[Route]:
    """All routes of the pages; the last one answers whatever no other route knows."""
    shared = views.Shared(platform)

    def page(path: str, template: str, view: Callable[[views.Visit], dict[str, Any]]) -> Route:
        async def endpoint(request: Request) -> Response:
            if not signed_in(platform, request):
                return RedirectResponse("/sign-in", 303)
            visit = views.Visit(platform, shared, request, words_of(language_of(request)))
            try:
                found = await readers.ask(lambda: view(visit))
            except NotFound:
                others = await readers.ask(lambda: views.people(visit))
                return rendered(request, "people.html", {**others, "query": visit.key}, status=404)
            if isinstance(found.get("redirect"), str):
                return RedirectResponse(found["redirect"], 303)
            return rendered(request, template, found)

        return Route(path, endpoint, methods=["GET"])

    async def sign_in(request: Request) -> Response:
        key = request.query_params.get("key", "")
        if request.method == "POST":
            form = (await request.body())[:FORM_BYTES_MAX].decode("utf-8", "replace")
            key = parse_qs(form).get("key", [""])[0].strip()
        if not key:
            return rendered(request, "sign_in.html", {"page": "", "wrong": False, "signed_in": False})
        if platform.sources.authenticate_access(key) is None:
            return rendered(request, "sign_in.html", {"page": "", "wrong": True, "signed_in": False}, status=401)
        answer = RedirectResponse("/", 303, HEADERS)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, key, httponly=True, samesite="lax", secure=secure, max_age=7 * 86_400)
        return answer

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in ASSETS:
            raise NotFound(f"there is nothing at {request.url.path}")
        return Response((files(__package__) / name).read_bytes(), media_type=ASSETS[name])

    async def elsewhere(request: Request) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            raise NotFound(f"there is nothing at {request.url.path}", hint="See docs/reference")
        values = {"page": "", "signed_in": signed_in(platform, request)}
        return rendered(request, "nothing.html", values, status=404)

    return [
        page("/", "overview.html", views.overview),
        page("/pages/overview", "overview_live.html", views.overview),
        page("/people", "people.html", views.people),
        page("/people/{key:path}", "person.html", views.person),
        Route("/sign-in", sign_in, methods=["GET", "POST"]),
        Route("/pages/{name}", asset, methods=["GET"]),
        Route("/{path:path}", elsewhere, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    ]


def signed_in(platform: Platform, request: Request) -> bool:
    key = request.cookies.get(COOKIE, "")
    return bool(key) and platform.sources.authenticate_access(key) is not None


def language_of(request: Request) -> str:
    """The language asked for in the address, else the one chosen before, else the browser's first that we speak."""
    chosen = request.query_params.get("language") or request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in texts():
        return chosen
    for offered in request.headers.get("accept-language", "").split(","):
        spoken = offered.split(";")[0].strip()[:2].lower()
        if spoken in texts():
            return spoken
    return "en"


def rendered(request: Request, template: str, values: dict[str, Any], *, status: int = 200) -> Response:
    """A page in the request's language; a language that the address names is remembered."""
    language = language_of(request)
    body = (
        templates()
        .get_template(template)
        .render(
            {"signed_in": True, **values},
            t=texts()[language],
            language=language,
            languages=[(other, found["language"], _in(request, other)) for other, found in texts().items()],
            n=words_of(language).number,
        )
    )
    answer = Response(body, status_code=status, media_type="text/html", headers=HEADERS)
    if request.query_params.get("language") in texts():
        answer.set_cookie(LANGUAGE_COOKIE, language, samesite="lax", max_age=YEAR_SECONDS)
    return answer


def _in(request: Request, language: str) -> str:
    """The address of the same page in another language; a key in the address is not repeated."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in ("language", "key")]
    return "?" + urlencode([*kept, ("language", language)])
