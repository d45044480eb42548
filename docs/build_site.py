"""Build the documentation of this version into a folder that holds the sites of all published versions.

Usage: python docs/build_site.py [FOLDER]        (FOLDER is ``site`` unless given)

Needs the extra ``docs`` and npm. The result is a folder of plain files, for any web server::

    FOLDER/index.html       leads to the newest version
    FOLDER/versions.json    the versions that a reader can choose from, newest first
    FOLDER/0.2/             the site of lexkit 0.2.x, which the next 0.2.x replaces

To publish a release, run this in a checkout of the release with the folder that is already published. The other
versions stay as they are. Fonts and KaTeX come from npm once, into ``docs/theme/vendor``; afterwards ``zensical serve``
shows the pages while you write them. The built site loads nothing from other servers.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "build/site"  # mkdocs.yml has this path, too
VENDOR = ROOT / "docs/theme/vendor"
PACKAGES = {
    "@fontsource-variable/inter@5.3.0": {
        r"wght\.css": "inter.css",
        r"files/(.*-wght-normal\.woff2)": r"files/\1",
        "LICENSE": "inter-licence.txt",
    },
    "@fontsource-variable/jetbrains-mono@5.3.0": {
        r"wght\.css": "jetbrains-mono.css",
        r"files/(.*-wght-normal\.woff2)": r"files/\1",
        "LICENSE": "jetbrains-mono-licence.txt",
    },
    "katex@0.19.1": {
        r"dist/katex\.min\.css": "katex.css",
        r"dist/katex\.min\.js": "katex.js",
        r"dist/fonts/(.*\.woff2)": r"fonts/\1",
        "LICENSE": "katex-licence.txt",
    },
}
"""The files taken from npm packages: patterns of their paths, and where the files go in ``docs/theme/vendor``."""
FORWARD = (
    '<!doctype html><meta http-equiv="refresh" content="0; url={0}/"><title>lexkit</title><a href="{0}/">{0}</a>\n'
)
"""The page that leads to the newest version."""


def main() -> None:
    """Fetch what is missing, build this version, and list it."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "site").resolve()
    if not VENDOR.is_dir():
        fetch_vendor()
    version = this_version()
    shutil.rmtree(BUILT, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "zensical", "build", "--clean", "--strict"], cwd=ROOT, check=True)
    shutil.rmtree(folder / version, ignore_errors=True)
    # Zensical's page for missing addresses links to the root of the server, where no version is
    shutil.copytree(BUILT, folder / version, ignore=shutil.ignore_patterns("404.html"))
    publish(folder, version)
    print(folder / version / "index.html")


def fetch_vendor() -> None:
    """Take the fonts and KaTeX out of their npm packages."""
    with tempfile.TemporaryDirectory() as work:
        vendor = Path(work, "vendor")
        for package, wanted in PACKAGES.items():
            command = ["npm", "pack", "--silent", package]
            done = subprocess.run(command, cwd=work, check=True, capture_output=True, text=True)
            with tarfile.open(Path(work, done.stdout.strip())) as archive:
                for member, path in places(archive, wanted):
                    content = archive.extractfile(member)
                    assert content is not None
                    (vendor / path).parent.mkdir(parents=True, exist_ok=True)
                    (vendor / path).write_bytes(content.read())
        shutil.copytree(vendor, VENDOR)


def places(archive: tarfile.TarFile, wanted: dict[str, str]) -> Iterator[tuple[tarfile.TarInfo, str]]:
    """The wanted files of a package, each with its path in ``docs/theme/vendor``."""
    for member in archive.getmembers():
        for pattern, target in wanted.items():
            if match := re.fullmatch(f"package/{pattern}", member.name):
                yield member, match.expand(target)


def this_version() -> str:
    """Major and minor version of this checkout: ``0.2``."""
    text = (ROOT / "lexkit/__init__.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'^__version__ = "(\d+\.\d+)\.', text, re.MULTILINE)
    return str(version)


def publish(folder: Path, version: str) -> None:
    """Add a version to the list of versions, and let the first page lead to the newest."""
    names = {path.parent.name for path in folder.glob("*/index.html")} | {version}
    versions = sorted(names, key=lambda name: [int(part) for part in name.split(".")], reverse=True)
    listed = [{"version": name, "title": name, "aliases": ["latest"] * (name == versions[0])} for name in versions]
    (folder / "versions.json").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    (folder / "index.html").write_text(FORWARD.format(versions[0]), encoding="utf-8")


if __name__ == "__main__":
    main()
