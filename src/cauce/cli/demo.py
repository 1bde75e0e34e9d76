"""`cauce demo`: a synthetic retailer streams into a real Cauce, over HTTP, and the console shows it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cauce.app import Platform
from cauce.cli.main import console, errors, json_option, output, settings_of, user
from cauce.errors import CauceError, StorageBroken
from cauce.settings import Settings
from cauce.testing.world import World, send_http, shop

PATIENCE_SECONDS = 120
OWNER = "demo"
"""The account that the demo signs in."""


@click.command()
@click.option("--people", default=2_000, show_default=True, help="People of the synthetic retailer.")
@click.option("--days", default=30, show_default=True, help="Days that they live through.")
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same world.")
@click.option("--port", type=int, help="Port of the page; 0 takes a free one; default 8080.")
@click.option("--once", is_flag=True, help="End when the world is in and the console answers (for tests).")
@click.option("--fresh/--keep", default=True, help="Start with an empty folder (default), or add to what is there.")
@json_option
@click.pass_context
def demo(
    context: click.Context, people: int, days: int, seed: int, port: int | None, once: bool, fresh: bool, as_json: bool
) -> None:
    """Start Cauce and stream a synthetic Spanish-speaking retailer into it: web, app, stores, calls, mail, messages."""
    settings = settings_of(context, port=port)
    folder = settings.folder if context.find_root().obj else settings.folder.with_name("cauce-demo")
    settings = settings.changed(data=str(folder))
    if not as_json:
        errors.print(f"Making a synthetic retailer of {people:,} people and {days} days in {folder} …", soft_wrap=True)
    if fresh:
        _empty(folder)
    start = (datetime.now(UTC) - timedelta(days=days)).date().isoformat()
    world = World(people=people, seed=seed, days=days, start=start)
    with Platform.open(settings) as platform:
        keys = _open_sources(platform, world)
        owner = platform.access.accounts.find(OWNER) or platform.access.accounts.add(OWNER, "owner", by=user())
        cookie = platform.access.sessions.start(owner, agent="cauce demo").cookie
    command = [sys.executable, "-m", "cauce", "--data", str(folder), "up", "--json", "--port", str(settings.port)]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends the demo ends its server, too
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
    try:
        url = _url(server)
        if not as_json:
            console.print(f"Look while it flows:  {_entrance(settings, url)}", soft_wrap=True, markup=False)
        started = time.monotonic()
        _furnish(settings, world, quiet=as_json)
        delivery = _stream(url, world, keys, quiet=as_json)
        _wait_until_processed(url)
        found = {
            "url": _entrance(settings, url),
            "events": delivery.events,
            "seconds": round(time.monotonic() - started, 1),
            "pages": _pages(settings, url, cookie),
        }
        output(as_json, found, _finished)
        sys.stdout.flush()
        if not once:
            server.wait()
    except KeyboardInterrupt:
        errors.print("stopping")
    finally:
        server.terminate()
        server.wait(timeout=30)


def _empty(folder: Path) -> None:
    """Empties a demo folder; anything that is not one of ours is left alone."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "secret.key").exists():
            raise StorageBroken(
                f"{folder} is not empty and is no folder of Cauce",
                hint="Choose another with `cauce --data FOLDER demo`",
            )
        shutil.rmtree(folder)


def _open_sources(platform: Platform, world: World) -> dict[str, str]:
    known = {source.name for source in platform.sources.list()}
    return {
        source.name: platform.sources.rotate(source.name) if source.name in known else platform.sources.add(source)
        for source in world.sources()
    }


def _url(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    line = server.stdout.readline()
    if not line:
        raise StorageBroken(f"Cauce did not start: it ended with {server.wait()}", hint="Its message stands above")
    return str(json.loads(line)["url"])


def _furnish(settings: Settings, world: World, *, quiet: bool) -> None:
    """Products, stock, a programme and orders, beside the running server."""
    with (
        Platform.open(settings) as platform,
        Progress(
            TextColumn("opening the shop: {task.description}"), TimeElapsedColumn(), console=errors, disable=quiet
        ) as progress,
    ):
        task = progress.add_task("…", total=None)
        shop.furnish(platform, world, lambda what: progress.update(task, description=what))


def _stream(url: str, world: World, keys: dict[str, str], *, quiet: bool) -> Any:
    with Progress(
        TextColumn("streaming the world in"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=errors, disable=quiet,
    ) as progress:  # fmt: skip
        task = progress.add_task("events", total=world.expected().sent)
        return send_http(
            url,
            keys,
            world.batches(events_per_batch=50),
            lambda delivery: progress.update(task, completed=delivery.events),
        )


def _wait_until_processed(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(f"{url}/health/ready", timeout=10) as answer:  # noqa: S310 - ours
            if json.load(answer)["lag_records"] == 0:
                return
        time.sleep(0.2)
    raise CauceError(f"the river did not catch up within {PATIENCE_SECONDS} s")


def _entrance(settings: Settings, url: str) -> str:
    """A link that signs in the demo's owner once, on this machine, and leads onto the guided path."""
    with Platform.open(settings) as platform:
        secret = platform.access.accounts.pass_for(OWNER, by=user()).secret
    return f"{url}/sign-in/link?key={secret}&next=/guide"


def _pages(settings: Settings, url: str, cookie: str) -> dict[str, int]:
    """Status of the pages of the guided path, each asked as the demo's owner sees it."""
    # Here, because they take long to load, and `cauce --help` loads every command.
    from cauce.console.guide import somebody_met  # noqa: PLC0415 see above
    from cauce.http.guard import COOKIE  # noqa: PLC0415 see above

    with Platform.open(settings) as platform:
        person = somebody_met(platform)
    statuses = {}
    somebody = (f"/people/{person}",) if person else ()
    for path in ("/overview", "/people", *somebody, "/quarantine", "/data", "/sources", "/stock", "/orders"):
        request = urllib.request.Request(url + path, headers={"Cookie": f"{COOKIE}={cookie}", "Accept": "text/html"})  # noqa: S310 - ours
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - ours
            statuses[path.replace(person, "{person}") if person else path] = answer.status
    return statuses


def _finished(found: dict[str, Any]) -> str:
    return (
        f"{found['events']:,} events in {found['seconds']} s. The console, signed in once by this link:\n\n"
        f"  {found['url']}\n\n"
        "Ctrl-C stops it; the data stays in the folder. Next: docs/tutorial/your-own-data.md"
    )
