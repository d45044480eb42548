"""Draws the pictures of the README, `python docs/draw_pictures.py`: a terminal, a report, and the graph of a word.

All three show a store of the starter data, and the same data gives the same pictures. The terminal and the graph are
SVG files. The report is a screenshot by Chromium (Debian's package `chromium`, or the path in $LEXKIT_TEST_CHROMIUM),
with few colours to keep it small.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text

FOLDER = Path(__file__).resolve().parent / "pictures"
WORD, DRAWN_WORD = "kind", "happy"
COLUMNS = 72
REPORT_SIZE = 1100, 1190  # pixels
REPORT_TOP = 176
"""Pixels above the contents of a report, which name its date and are cut off."""
MOST_BYTES = 150_000
"""A picture above this size is refused, since everybody who reads the README loads it."""
FONTS = 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace'


def main() -> None:
    """Draw all pictures."""
    FOLDER.mkdir(exist_ok=True)
    os.environ["SOURCE_DATE_EPOCH"] = "0"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LEXKIT_STORE"] = str(Path(folder) / "lexkit.duckdb")
        lexkit("build", "--quiet", "--output", os.environ["LEXKIT_STORE"])
        draw_terminal(FOLDER / "lookup.svg", "lookup", WORD, "--limit", "8")
        lexkit("lookup", DRAWN_WORD, "--plot", str(FOLDER / "graph.svg"))
        page = Path(folder) / "report.html"
        lexkit("report", "--quiet", "--output", str(page))
        take_screenshot(page, f"#word={WORD}", FOLDER / "report.png")
    for path in sorted(FOLDER.iterdir()):
        size = path.stat().st_size
        print(f"{path.name}: {size:,} bytes")
        if size > MOST_BYTES:
            sys.exit(f"{path}: more than {MOST_BYTES:,} bytes; draw less, or in fewer colours")


def lexkit(*arguments: str) -> None:
    """Run a command of lexkit and print nothing."""
    subprocess.run([sys.executable, "-m", "lexkit", *arguments], check=True, stdout=subprocess.DEVNULL)


def draw_terminal(path: Path, *arguments: str) -> None:
    """Run a command in a terminal, and draw what the terminal shows."""
    console = Console(record=True, width=COLUMNS, file=StringIO())
    console.print(Text.from_ansi(on_terminal(*arguments)))
    picture = console.export_svg(title=" ".join(("$ lexkit", *arguments)), unique_id="lexkit")
    # without the fonts that rich would load from the network
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    picture = picture.replace("font-family: Fira Code, monospace", f"font-family: {FONTS}")
    lines = (line.rstrip() for line in picture.splitlines())
    path.write_text("\n".join(filter(None, lines)) + "\n", encoding="utf-8")


def on_terminal(*arguments: str) -> str:
    """Return what a command writes to a terminal, escape sequences included."""
    ours, terminals = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "lexkit", *arguments]
    with subprocess.Popen(command, stdin=terminals, stdout=terminals, stderr=terminals, env=environment):
        os.close(terminals)
        written = bytearray()
        try:
            while data := os.read(ours, 1 << 16):
                written += data
        except OSError:  # Linux says so when the other end is closed
            pass
    os.close(ours)
    text = written.decode().replace("\r\n", "\n")
    return text.translate({0x2068: None, 0x2069: None}).strip("\n")  # marks of direction, which have no width


def take_screenshot(page: Path, fragment: str, path: Path) -> None:
    """Take a screenshot of a page in light colours."""
    chromium = os.environ.get("LEXKIT_TEST_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.exit("no chromium to take a screenshot of the report with; install it, or set LEXKIT_TEST_CHROMIUM")
    width, height = REPORT_SIZE
    with tempfile.TemporaryDirectory() as profile:
        flags = (
            f"--headless --no-sandbox --disable-gpu --hide-scrollbars --force-prefers-reduced-motion {page.as_uri()}"
        )
        command = [
            chromium,
            f"--user-data-dir={profile}",
            f"--screenshot={profile}/page.png",
            f"--window-size={width},{height}",
            "--virtual-time-budget=10000",
            *(flags + fragment).split(),
        ]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "HOME": profile})
        with Image.open(f"{profile}/page.png") as screenshot:
            seen = screenshot.convert("RGB").crop((0, REPORT_TOP, width, height))
            seen.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
