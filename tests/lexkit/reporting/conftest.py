from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lexkit

_PATIENCE = 60.0
_KEYS = {"Enter": 13, "Tab": 9, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38}


class Browser:
    """A headless Chromium, told what to do through its DevTools protocol over a pair of pipes.

    https://chromedevtools.github.io/devtools-protocol: messages are JSON, each ended by a zero byte.
    """

    def __init__(self, program: str, profile: Path) -> None:
        read, self._to = os.pipe()
        self._from, write = os.pipe()
        flags = "--headless=new --no-sandbox --disable-gpu --no-first-run --hide-scrollbars --disable-extensions"
        # it reads descriptor 3 and writes descriptor 4
        launch = f'exec "$0" "$@" 3<&{read} 4>&{write}'
        command = [
            "bash",
            "-c",
            launch,
            program,
            *flags.split(),
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
        ]
        self._process = subprocess.Popen(
            command,
            pass_fds=(read, write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(profile)},
        )
        os.close(read)
        os.close(write)
        self._buffer = b""
        self._next = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        self._next += 1
        message = {"id": self._next, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._next:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], _PATIENCE)
            data = os.read(self._from, 1 << 20) if ready else b""
            assert data, "the browser does not answer"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)  # type: ignore[no-any-return]

    def open(
        self,
        page: Path,
        *,
        width: int = 1200,
        height: int = 900,
        dark: bool = False,
        touch: bool = False,
        scripts: bool = True,
        fragment: str = "",
    ) -> None:
        """Open a page as on a screen of that kind, and wait until it is ready."""
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call("Page.navigate", url=page.as_uri() + fragment)
        self.wait("document.readyState === 'complete'")
        if scripts:
            self.wait("document.documentElement.dataset.ready !== undefined")

    def run(self, script: str) -> Any:
        """Return the value of an expression of JavaScript in the page."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + _PATIENCE
        while not self.run(condition):
            assert time.monotonic() < end, f"never came true: {condition}"
            time.sleep(0.02)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        code = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key]}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(picture["data"]))

    def complaints(self) -> list[str]:
        """Errors of scripts and what the browser logged against the page."""
        kinds = ("Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(event["params"]) for event in self.events if event.get("method") in kinds]

    def requests(self) -> list[str]:
        """Addresses that the page had the browser ask for, beside itself."""
        asked = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("file:", "about:", "data:"))]

    def close(self) -> None:
        self._session = None
        os.write(self._to, json.dumps({"id": 0, "method": "Browser.close"}).encode() + b"\0")
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = os.environ.get("LEXKIT_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium to look at pages with (apt-get install chromium, or set LEXKIT_TEST_CHROMIUM)")
    running = Browser(program, tmp_path_factory.mktemp("profile"))
    yield running
    running.close()


@pytest.fixture(scope="session")
def hostile_words() -> dict[str, str]:
    """Words that would break out of a page that does not escape them."""
    return {
        "tag": "<img/src=x onerror=alert(1)>",
        "script": "</script><script>alert(2)</script>",
        "comment": "<!--<script>",
        "quotes": '"o\'clock" &amp; {{ 7*7 }}',
        "fragment": "100% #word=x&y",
        "formula": "$x^2$ \\frac [bold]",
        "long": "antidisestablishmentarianism" * 4,
        "other": "\ufb01anc\u00e9e \u05e9\u05dc\u05d5\u05dd \u65e5\u672c\u8a9e \U0001f600x",
    }


@pytest.fixture(scope="session")
def hostile_store(tmp_path_factory: pytest.TempPathFactory, hostile_words: dict[str, str]) -> Path:
    """Every hostile word is a synonym of every other; the first has two antonyms, one of them contested."""
    folder = tmp_path_factory.mktemp("<b>'hostile'&amp;")
    words = list(hostile_words.values())
    synonyms, antonyms = folder / "<i>synonyms.txt", folder / "antonyms.txt"
    pairs = [f"{a}\t{b}\n" for i, a in enumerate(words) for b in words[i + 1 :]]
    synonyms.write_text("".join(pairs), encoding="utf-8")
    antonyms.write_text(f"{words[0]}\t{words[1]}\n{words[0]}\thot\n", encoding="utf-8")
    path = folder / "store.duckdb"
    lexkit.build(path, pairs=[("synonym", synonyms), ("antonym", antonyms)])
    return path
