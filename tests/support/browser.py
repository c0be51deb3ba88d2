"""A headless Chromium, driven over WebDriver by plain HTTP: pages as people see and touch them.
None where none is installed."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.waiting import PATIENCE_S, until

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MISSING = (
    ""
    if CHROMIUM and DRIVER
    else "no chromium and chromedriver here (Debian: apt-get install chromium chromium-driver)"
)
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key under which WebDriver hands out elements."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--hide-scrollbars",
)


class Browser:
    """One window."""

    page = Path()
    """The file that a test is about."""

    def __init__(self, port: int, profile: Path, size: tuple[int, int], dark: bool) -> None:
        self._root = f"http://127.0.0.1:{port}"
        flags = [
            *FLAGS,
            f"--user-data-dir={profile}",
            f"--window-size={size[0]},{size[1]}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--force-device-scale-factor=1",
        ]
        until(self._ready, "chromedriver")
        wanted = {
            "browserName": "chrome",
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
            "goog:chromeOptions": {"binary": CHROMIUM, "args": flags},
        }
        asked = {"capabilities": {"alwaysMatch": wanted}}
        self._session = f"/session/{self._call('POST', '/session', asked)['sessionId']}"

    def open(self, page: Path) -> None:
        """Opens a file, and is back when it is loaded."""
        self.post("/url", {"url": page.absolute().as_uri()})

    def run(self, script: str, *given: Any) -> Any:
        """What a script returns that sees `arguments`."""
        return self.post("/execute/sync", {"script": script, "args": list(given)})

    def resize(self, width: int, height: int) -> None:
        """A viewport of so many pixels, as on a phone: windows do not become that narrow."""
        self.post(
            "/goog/cdp/execute",
            {
                "cmd": "Emulation.setDeviceMetricsOverride",
                "params": {
                    "width": width,
                    "height": height,
                    "deviceScaleFactor": 1,
                    "mobile": width < 600,
                },
            },
        )

    def find(self, selector: str) -> dict[str, str]:
        """The first element of a CSS selector."""
        return self.post("/element", {"using": "css selector", "value": selector})

    def click(self, selector: str) -> None:
        self.post(f"/element/{self.find(selector)[ELEMENT]}/click", {})

    def hover(self, x: float, y: float) -> None:
        """Moves the mouse to a place of the viewport."""
        self._act([_move(x, y)])

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self._act(
            [
                _move(*start),
                {"type": "pointerDown", "button": 0},
                _move(*end),
                {"type": "pointerUp", "button": 0},
            ]
        )

    def pinch(self, start: tuple[float, float], end: tuple[float, float], y: float) -> None:
        """Two fingers side by side, at two x each: where they come down and where they leave."""

        def finger(name: str, place: int) -> dict[str, Any]:
            acts = [
                _move(start[place], y),
                {"type": "pointerDown", "button": 0},
                {**_move(end[place], y), "duration": 100},
                {"type": "pointerUp", "button": 0},
            ]
            return {
                "type": "pointer",
                "id": name,
                "parameters": {"pointerType": "touch"},
                "actions": acts,
            }

        self.post("/actions", {"actions": [finger("one", 0), finger("two", 1)]})

    def press(self, keys: str) -> None:
        """Keys for what has the focus."""
        acts = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.post("/actions", {"actions": [{"type": "key", "id": "keys", "actions": acts}]})

    def picture(self) -> bytes:
        """What is to be seen, as PNG."""
        return base64.b64decode(self._call("GET", f"{self._session}/screenshot"))

    def requests(self) -> list[str]:
        """Every address that was asked for since the last call, by the page or anything in it."""
        entries = [
            json.loads(entry["message"])["message"]
            for entry in self.post("/se/log", {"type": "performance"})
        ]
        return [
            entry["params"]["request"]["url"]
            for entry in entries
            if entry["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """What stands on the console: errors of scripts, breaches of the page's policy."""
        return [entry["message"] for entry in self.post("/se/log", {"type": "browser"})]

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("POST", self._session + path, body)

    def close(self) -> None:
        self._call("DELETE", self._session)

    def _act(self, acts: list[dict[str, Any]]) -> None:
        self.post(
            "/actions",
            {
                "actions": [
                    {
                        "type": "pointer",
                        "id": "mouse",
                        "parameters": {"pointerType": "mouse"},
                        "actions": acts,
                    }
                ]
            },
        )

    def _ready(self) -> bool:
        try:
            return bool(self._call("GET", "/status")["ready"])
        except OSError:
            return False

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._root + path, content, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from error


@contextmanager
def browser(
    profile: Path, size: tuple[int, int] = (1400, 900), *, dark: bool = False
) -> Iterator[Browser]:
    """A window with a fresh profile in a folder, closed at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = subprocess.Popen(
        [str(DRIVER), f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        window = Browser(port, profile, size, dark)
        try:
            yield window
        finally:
            window.close()
    finally:
        driver.terminate()
        driver.wait(PATIENCE_S)


def _move(x: float, y: float) -> dict[str, Any]:
    return {
        "type": "pointerMove",
        "duration": 0,
        "x": round(x),
        "y": round(y),
        "origin": "viewport",
    }
