"""Makes `.venv` and installs Cauce from a hash-locked requirement file; does nothing when that is already done.

    python3 requirements/install.py core     what Cauce needs to run
    python3 requirements/install.py dev      that, and what its tests need
    python3 requirements/install.py lock     renews the lock files from pyproject.toml

`.venv` gets the quickest Python of the running one's version that is on the PATH (`interpreters.py`); with
`--this-python` at the end it gets the running one.
Only the standard library is needed. Packages are fetched by uv because it is quick, and by pip where uv cannot.
The index, proxy and certificate of the user's pip configuration are honoured by both.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from interpreters import quickest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "requirements"
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "cauce-installed.json"
OLDEST = (3, 11)
THIS = "--this-python"

# What pip's configuration says, in uv's words. A key that is missing here (and in IRRELEVANT) makes us use pip alone.
UV_WORDS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}
IRRELEVANT = {"disable-pip-version-check", "no-cache-dir", "progress-bar", "no-input", "root-user-action", "quiet"}


def main() -> None:
    wanted, *options = sys.argv[1:] or [""]
    if options not in ([], [THIS]) or wanted not in ("core", "dev", "lock"):
        sys.exit(__doc__)
    if sys.version_info < OLDEST:
        sys.exit(
            f"Cauce needs Python {OLDEST[0]}.{OLDEST[1]} or newer, and {sys.executable} is {sys.version.split()[0]}. "
            "Name a newer one: make PYTHON=python3.12 …"
        )
    os.chdir(ROOT)
    if wanted == "lock":
        lock()
    else:
        install(wanted)


def install(kind: str) -> None:
    """Brings `.venv` to the state of the lock file; returns at once when the stamp says that it is there."""
    keys = {name: key(name) for name in ("core", "dev")}
    done = json.loads(STAMP.read_text()) if STAMP.exists() and PYTHON.exists() else {}
    # The dev set contains the core set.
    if any(done.get(name) == keys[name] for name in {kind, "dev"}):
        return
    make_environment()
    requirements = ["--require-hashes", "-r", f"requirements/{kind}.lock"]
    if not (uv := quick_installer()) or run(
        uv, "pip", "install", "-q", "-p", PYTHON, *requirements, environment=uv_words()
    ):
        print("· installing with pip", flush=True)
        check(PYTHON, "-m", "pip", "install", "-q", *requirements)
    check(PYTHON, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--editable", ".")
    STAMP.write_text(json.dumps({**done, kind: keys[kind]}))
    print(f"· installed in {VENV.name}", flush=True)


def key(kind: str) -> str:
    """Changes whenever what has to be installed changes."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (LOCKS / f"{kind}.lock", ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def make_environment() -> None:
    if PYTHON.exists() and not run(PYTHON, "-m", "pip", "--version", quiet=True):
        return
    python = sys.executable if THIS in sys.argv else quickest()
    print(f"· making {VENV.name} with {python}", flush=True)
    if run(python, "-m", "venv", VENV):
        sys.exit(
            f"{python} could not make a virtual environment with pip in it. On Debian and Ubuntu: "
            "apt-get install python3-venv. Then run the same command again."
        )


def quick_installer() -> Path | None:
    """uv inside `.venv`; None when it cannot be had, or when pip's configuration says something uv does not know."""
    if (words := uv_words()) is None:
        return None
    uv = BIN / ("uv.exe" if os.name == "nt" else "uv")
    wheel_only = ["--only-binary", ":all:", "--require-hashes", "-r", "requirements/uv.lock"]
    if not uv.exists() and run(PYTHON, "-m", "pip", "install", "-q", *wheel_only, quiet=True):
        return None
    return uv if run(uv, "--version", quiet=True, environment=words) == 0 else None


def uv_words() -> dict[str, str] | None:
    """The user's pip configuration as environment variables of uv; None when it cannot be translated."""
    listed = subprocess.run([PYTHON, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    words: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, word = name.rpartition(".")
        if word in IRRELEVANT or section not in ("global", "install", ":env:"):
            continue
        if word not in UV_WORDS:
            return None
        words[UV_WORDS[word]] = value.strip("'\"")
    return words


def lock() -> None:
    """Renews the lock files; no registry host stands in them, so that everybody's own index is used."""
    make_environment()
    uv = quick_installer()
    if uv is None:
        sys.exit("uv is needed to lock: install it into .venv, or mend pip's configuration")
    how = ["--universal", "--python-version", "3.11", "--generate-hashes", "--upgrade", "--no-header", "--no-annotate"]
    how += ["--no-emit-index-url", "--no-emit-find-links", "-q", "-c", "requirements/constraints.in"]
    build = "requirements/build.in"
    compile_ = [uv, "pip", "compile", *how]
    check(*compile_, "requirements/uv.in", "-o", "requirements/uv.lock", environment=uv_words())
    check(*compile_, "pyproject.toml", build, "-o", "requirements/core.lock", environment=uv_words())
    development = ["--extra", "sql", "--group", "pyproject.toml:dev", "-c", "requirements/core.lock"]
    check(*compile_, "pyproject.toml", build, *development, "-o", "requirements/dev.lock", environment=uv_words())


def run(*command: str | Path, quiet: bool = False, environment: dict[str, str] | None = None) -> int:
    """The exit status of a command."""
    silence = subprocess.DEVNULL if quiet else None
    variables = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **(environment or {})}
    return subprocess.run(
        list(map(str, command)), env=variables, stdout=silence, stderr=silence, check=False
    ).returncode


def check(*command: str | Path, environment: dict[str, str] | None = None) -> None:
    if status := run(*command, environment=environment):
        sys.exit(f"this failed with status {status}: {' '.join(map(str, command))}")


if __name__ == "__main__":
    main()
