"""Brings the script of others that the console serves, from the npm registry, as `assets.json` locks it.

    python3 requirements/assets.py           fetches what is locked, checks it and puts it in its place
    python3 requirements/assets.py renew     takes the newest versions, then writes the lock anew

Only maintainers run it, before a release; the files are part of the repository, so nobody needs Node to use or change
Cauce. `npm` is the ordinary client of the registry; a package whose hash is not the locked one is refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements/assets.json"
VENDOR = ROOT / "src/cauce/console/static/vendor"
LICENCES = VENDOR / "LICENSES.txt"


def main() -> None:
    renews = sys.argv[1:] == ["renew"]
    if sys.argv[1:] and not renews:
        sys.exit(__doc__)
    packages: list[dict[str, Any]] = json.loads(LOCK.read_text(encoding="utf-8"))
    licences = []
    with tempfile.TemporaryDirectory() as folder:
        for package in packages:
            archive = fetch(package, Path(folder), renews=renews)
            licences.append(unpack(package, archive))
    LICENCES.write_text("\n\n".join(licences) + "\n", encoding="utf-8")
    if renews:
        LOCK.write_text(json.dumps(packages, indent=2) + "\n", encoding="utf-8")


def fetch(package: dict[str, Any], folder: Path, *, renews: bool) -> Path:
    """The package's archive, whose hash is that of the lock; `renews` writes version and hash of the newest into it."""
    wanted = package["name"] if renews else f"{package['name']}@{package['version']}"
    packed = subprocess.run(
        ["npm", "pack", "--json", "--pack-destination", folder, wanted], capture_output=True, text=True, check=False
    )
    if packed.returncode:
        sys.exit(f"npm cannot fetch {wanted}:\n{packed.stderr}")
    (found,) = json.loads(packed.stdout)
    archive = folder / found["filename"].replace("@", "").replace("/", "-")
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if renews:
        package["version"], package["integrity"] = found["version"], integrity
    if integrity != package["integrity"]:
        sys.exit(f"{wanted}: expected the hash {package['integrity']}, got {integrity}. Somebody changed the package.")
    return archive


def unpack(package: dict[str, Any], archive: Path) -> str:
    """Puts the package's files in their places; its licence under a heading that says what it is of."""
    with tarfile.open(archive) as opened:

        def content(name: str) -> bytes:
            member = opened.extractfile(f"package/{name}")
            if member is None:
                sys.exit(f"{package['name']} {package['version']} holds no {name}")
            return member.read()

        for inside, place in package["files"].items():
            (VENDOR / place).write_bytes(content(inside))
        package["sha256"] = {
            place: hashlib.sha256((VENDOR / place).read_bytes()).hexdigest() for place in package["files"].values()
        }
        text = content(package["licence_file"]).decode().strip()
    files = ", ".join(package["files"].values())
    return f"{package['name']} {package['version']} ({package['licence']}): {files}\n\n{text}"


if __name__ == "__main__":
    main()
