"""A real browser without a screen: Chromium, told what to do over its DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_START_SECONDS = 40.0
_ANSWER_SECONDS = 20.0


def find_browser() -> str | None:
    """Return the path of a browser; None if there is none here."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class Page:
    """One tab. Everything that its console or its policies complain of is kept."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._count = 0
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol and return its result."""
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            told = json.loads(self._socket.recv(timeout=_ANSWER_SECONDS))
            if told.get("id") == self._count:
                assert "error" not in told, told
                return told["result"]
            self._note(told)

    def _note(self, told: Mapping[str, Any]) -> None:
        said = told.get("params", {})
        match told.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(said["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                self.complaints.append(f"console.{said['type']}: {json.dumps(said['args'])}")
            case "Log.entryAdded":
                entry = said["entry"]
                self.complaints.append(f"{entry['level']}: {entry['text']} {entry.get('url', '')}")
            case "Network.loadingFailed" if not said.get("canceled"):
                self.complaints.append(f"not loaded: {said['errorText']}")

    def open(self, url: str) -> None:
        """Go there and wait until it is there."""
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href.startsWith('http')")

    def value(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def until(self, expression: str, within: float = 15.0) -> None:
        """Wait until an expression is true."""
        self.wait(lambda: bool(self.value(expression)), expression, within)

    def wait(self, condition: Callable[[], bool], what: str, within: float = 15.0) -> None:
        """Wait until something is so."""
        end = time.monotonic() + within
        while not condition():
            assert time.monotonic() < end, f"{what}; complaints: {self.complaints}; {self.text()}"
            time.sleep(0.1)

    def text(self) -> str:
        """Return what a person reads."""
        return str(self.value("document.body ? document.body.innerText : ''"))

    def show_as(self, width: int, height: int, *, dark: bool = False) -> None:
        """Have a window of that size, and a person who likes it dark or light."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path) -> None:
        """Keep what is seen, down to the end of the page."""
        told = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(told["data"]))


@contextmanager
def open_page(browser: str, profile: Path) -> Iterator[Page]:
    """Run a browser with an empty profile, and open a tab."""
    process = subprocess.Popen(
        [
            browser,
            "--headless=new",
            "--no-sandbox",  # a container has no place for one, and we ask nobody but ourselves
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-proxy-server",
            f"--user-data-dir={profile}",
            "--remote-debugging-port=0",
            "about:blank",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(profile)},
    )
    try:
        port, path = _address(process, profile / "DevToolsActivePort")
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=2**26) as control:
            target = _target(control)
        with connect(f"ws://127.0.0.1:{port}/devtools/page/{target}", max_size=2**26) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], file: Path) -> tuple[str, str]:
    """The browser writes where it listens, when it does."""
    end = time.monotonic() + _START_SECONDS
    while True:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) == 2:
            return lines[0], lines[1]
        assert process.poll() is None, "the browser did not start"
        assert time.monotonic() < end, "the browser does not listen"
        time.sleep(0.05)


def _target(control: ClientConnection) -> str:
    control.send(json.dumps({"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}}))
    while True:
        told = json.loads(control.recv(timeout=_ANSWER_SECONDS))
        if told.get("id") == 1:
            return str(told["result"]["targetId"])
