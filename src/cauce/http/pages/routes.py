"""Routes of the pages, sign-in by access key, language by the browser with a switch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cauce.errors import NotFound
from cauce.http.pages import views

if TYPE_CHECKING:
    from cauce.app import Platform
    from cauce.http.people import Readers

COOKIE = "cauce_key"
ASSETS = {"style.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}
HEADERS = {
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
FORM_BYTES_MAX = 4_096


@cache
def texts() -> dict[str, dict[str, str]]:
    """Every text of the pages by language."""
    loaded: dict[str, dict[str, str]] = yaml.safe_load((files(__package__) / "texts.yaml").read_text("utf-8"))
    return loaded


@cache
def templates() -> Environment:
    return Environment(
        loader=PackageLoader("cauce.http", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def routes(platform: Platform, readers: Readers) -> list[Route]:
    """All routes of the pages."""

    def page(path: str, template: str, view: Callable[[Platform, Request, str], dict[str, Any]]) -> Route:
        async def endpoint(request: Request) -> Response:
            if not signed_in(platform, request):
                return RedirectResponse(f"/sign-in?language={language_of(request)}", 303)
            language = language_of(request)
            try:
                found = await readers.ask(lambda: view(platform, request, language))
            except NotFound:
                others = await readers.ask(lambda: views.people(platform, request, language))
                wanted = str(request.path_params.get("key", ""))
                return rendered(request, "people.html", {**others, "query": wanted}, status=404)
            if isinstance(found.get("redirect"), str):
                return RedirectResponse(found["redirect"], 303)
            return rendered(request, template, found)

        return Route(path, endpoint, methods=["GET"])

    async def sign_in(request: Request) -> Response:
        key = request.query_params.get("key", "")
        if request.method == "POST":
            form = (await request.body())[:FORM_BYTES_MAX].decode("utf-8", "replace")
            key = _form_value(form, "key")
        if not key:
            return rendered(request, "sign_in.html", {"page": "", "wrong": False, "signed_in": False})
        if platform.sources.authenticate_access(key) is None:
            return rendered(request, "sign_in.html", {"page": "", "wrong": True, "signed_in": False}, status=401)
        answer = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, key, httponly=True, samesite="lax", secure=secure, max_age=7 * 86_400)
        return answer

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in ASSETS:
            return Response(status_code=404)
        return Response((files(__package__) / name).read_bytes(), media_type=ASSETS[name])

    return [
        page("/", "overview.html", views.overview),
        page("/pages/overview", "overview_live.html", views.overview),
        page("/people", "people.html", views.people),
        page("/people/{key:path}", "person.html", views.person),
        Route("/sign-in", sign_in, methods=["GET", "POST"]),
        Route("/pages/{name}", asset, methods=["GET"]),
    ]


def signed_in(platform: Platform, request: Request) -> bool:
    key = request.cookies.get(COOKIE, "")
    return bool(key) and platform.sources.authenticate_access(key) is not None


def language_of(request: Request) -> str:
    """The language asked for in the address, else the one chosen before, else the browser's first that we speak."""
    chosen = request.query_params.get("language") or request.cookies.get("cauce_language", "")
    if chosen in texts():
        return chosen
    for offered in request.headers.get("accept-language", "").split(","):
        code = offered.split(";")[0].strip()[:2].lower()
        if code in texts():
            return code
    return "en"


def rendered(request: Request, template: str, values: dict[str, Any], *, status: int = 200) -> Response:
    """A page in the request's language."""
    language = language_of(request)
    body = (
        templates()
        .get_template(template)
        .render(
            {"signed_in": True, **values},
            t=texts()[language],
            language=language,
            languages=[(code, found["language"]) for code, found in texts().items()],
            n=views.number_format(language),
        )
    )
    answer = Response(body, status_code=status, media_type="text/html", headers=HEADERS)
    if request.query_params.get("language") in texts():
        answer.set_cookie("cauce_language", language, samesite="lax", max_age=365 * 86_400)
    return answer


def _form_value(form: str, name: str) -> str:
    return parse_qs(form).get(name, [""])[0].strip()
