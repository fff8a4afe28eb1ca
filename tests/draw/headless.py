"""A real browser without a window: Chromium, told what to do through a pipe by its DevTools protocol."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, PROGRAMS)), None) if os.name == "posix" else None
OPTIONS = (
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update",
    "--hide-scrollbars", "--force-device-scale-factor=1", "--window-size=1280,800",
)  # fmt: skip
AS_3_AND_4 = "import os, sys; [os.dup2(int(fd), i) for i, fd in enumerate(sys.argv[1:3], 3)]"
AS_3_AND_4 += "; os.execv(sys.argv[3], sys.argv[3:])"
PATIENCE = 60  # seconds: CI machines are slow


class Browser:
    """One tab.

    Attributes:
        complaints: what was written to the console, thrown, or refused by the page's policy.
        requests: addresses that were asked for.
    """

    def __init__(self, folder: Path) -> None:
        there, ours = os.pipe(), os.pipe()
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (there[0], ours[1])]
        command = [sys.executable, "-c", AS_3_AND_4, *map(str, ends), CHROMIUM, *OPTIONS, f"--user-data-dir={folder}"]
        self._process = subprocess.Popen(  # noqa: S603
            command, pass_fds=ends, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        for fd in (*ends, there[0], ours[1]):
            os.close(fd)
        self._out, self._in = there[1], ours[0]
        self._rest, self._number, self._session = b"", 0, None
        self.complaints, self.requests = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        try:
            self._session = None
            self.call("Browser.close")
        finally:
            os.close(self._out)
            os.close(self._in)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def call(self, method: str, **params: object) -> dict:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def _next(self) -> dict:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            read = os.read(self._in, 1 << 20)
            if not read:
                raise RuntimeError("the browser has gone")
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        if method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.complaints.append(json.dumps(params))

    def open(self, path: Path, dark: bool = False) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.complaints.clear()
        self.requests.clear()
        self.call("Page.navigate", url=path.as_uri())
        self.until("document.readyState === 'complete' && document.querySelector('main > svg, #status:not(:empty)')")

    def run(self, script: str) -> object:
        """The value of an expression."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise RuntimeError(json.dumps(done["exceptionDetails"]))
        return done["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until an expression is true: the page itself looks at every frame."""
        wait = f"(async () => {{ while (!({condition})) await new Promise((r) => setTimeout(r, 5)); return true; }})()"
        try:
            self.run(wait)
        except RuntimeError as error:  # the page that was asked has gone: the next one is there now
            if "navigat" not in str(error) and "destroyed" not in str(error):
                raise
            self.until(condition)

    def middle(self, selector: str) -> tuple[float, float]:
        """Where an element is."""
        box = self.run(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [b.left + b.width / 2, b.top + b.height / 2]; })()"
        )
        return tuple(box)

    def mouse(self, kind: str, x: float, y: float, **more: object) -> None:
        self.call("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **more)

    def hover(self, selector: str) -> None:
        self.mouse("Moved", *self.middle(selector))

    def click(self, selector: str) -> None:
        x, y = self.middle(selector)
        self.mouse("Moved", x, y)
        self.mouse("Pressed", x, y, button="left", buttons=1, clickCount=1)
        self.mouse("Released", x, y, button="left", clickCount=1)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.mouse("Moved", *start)
        self.mouse("Pressed", *start, button="left", buttons=1, clickCount=1)
        for share in (0.3, 0.6, 1.0):
            at = [a + (b - a) * share for a, b in zip(start, end, strict=True)]
            self.mouse("Moved", *at, button="left", buttons=1)
        self.mouse("Released", *end, button="left", clickCount=1)

    def wheel(self, at: tuple[float, float], by: float) -> None:
        self.mouse("Wheel", *at, deltaX=0, deltaY=by)

    def key(self, key: str, text: str = "") -> None:
        codes = {"Enter": 13, "Escape": 27, "Tab": 9, " ": 32}
        common = {"key": key, "windowsVirtualKeyCode": codes.get(key, ord(key) if len(key) == 1 else 0)}
        text = text or (key if len(key) == 1 else "\r" if key == "Enter" else "")
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
