"""A headless Chromium, spoken to in its DevTools protocol through two pipes, so that no further package is needed."""

import base64
import json
import os
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Of the keys that the page knows by more than a letter.
_KEYS = {"Enter": "\r", " ": " ", "Escape": "", "ArrowRight": "", "ArrowLeft": "", "ArrowDown": "", "ArrowUp": ""}


def find_chromium():
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    def __init__(self, folder, *flags):
        """Starts it; what it downloads and remembers goes into `folder`."""
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True, exist_ok=True)
        to_browser, self._requests = os.pipe()
        self._answers, from_browser = os.pipe()
        options = [
            "--headless=new",
            "--no-sandbox",  # root in a container has none
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--force-color-profile=srgb",
            "--remote-debugging-pipe",
            f"--user-data-dir={folder / 'profile'}",
            *flags,
        ]
        # The protocol's pipes are descriptors 3 and 4.
        line = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
        self._process = subprocess.Popen(
            ["bash", "-c", line, find_chromium(), *options, "about:blank"],
            pass_fds=(to_browser, from_browser),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._number = 0
        self._session = None
        self.events = []
        target = next(target for target in self.ask("Target.getTargets")["targetInfos"] if target["type"] == "page")
        self._session = self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self.ask(f"{domain}.enable")
        self.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads), eventsEnabled=True)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        os.close(self._requests)  # it ends with its pipe
        os.close(self._answers)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self._session
        os.write(self._requests, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                return answer["result"]
            self.events.append(answer)

    def _next(self):
        while b"\0" not in self._buffer:
            more = os.read(self._answers, 1 << 16)
            assert more, "the browser has ended"
            self._buffer += more
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def wait_for(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._next())
        found = next(event for event in self.events if event.get("method") == method)
        self.events.remove(found)
        return found["params"]

    def open(self, path):
        self.events.clear()
        self.ask("Page.navigate", url=path.as_uri())
        self.wait_for("Page.loadEventFired")

    def assert_at_peace(self):
        """No error, nothing that the page's policy forbids, no request since the page was opened."""
        methods = ("Runtime.exceptionThrown", "Log.entryAdded")
        assert [event for event in self.events if event.get("method") in methods] == []
        sent = [event for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        urls = [event["params"]["request"]["url"] for event in sent]
        assert [url for url in urls if not url.startswith(("file:", "data:", "blob:"))] == []

    def run(self, expression):
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, *keys, modifiers=0):
        for key in keys:
            text = _KEYS.get(key, key)
            event = {"key": key, "modifiers": modifiers, "windowsVirtualKeyCode": _code(key)}
            self.ask(
                "Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text and not modifiers else {})
            )
            self.ask("Input.dispatchKeyEvent", type="keyUp", **event)

    def click(self, selector):
        place = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def settle(self):
        """Waits until what was changed is laid out and painted."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def downloaded(self, name, seconds=10):
        """A download's content, once it is whole."""
        end = time.monotonic() + seconds
        while not (self.downloads / name).exists():
            assert time.monotonic() < end, f"no {name}"
            time.sleep(0.02)
        return (self.downloads / name).read_bytes()

    def choose(self, selector, path):
        """Gives a file to an input."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def screenshot(self, path, width, height, dark=False, mobile=False, full=False):
        self.look(width, height, dark, mobile)
        self.settle()
        picture = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=full)
        path.write_bytes(base64.b64decode(picture["data"]))

    def look(self, width, height, dark=False, mobile=False):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media="", features=[scheme])


def _code(key):
    special = {"Enter": 13, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
    return special.get(key) or (ord(key.upper()) if len(key) == 1 else 0)
