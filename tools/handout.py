"""Print decks as PDF with Chromium, told what to do by its own debugging protocol."""

import base64
import contextlib
import json
import re
import subprocess
import tempfile

import chromium
from websocket import WebSocketException, create_connection

PATIENCE = 60  # seconds for one answer
# The deck starts after its formulas are set, and reveal.js then lays out the pages.
READY = """new Promise(done => {
  const look = () => document.querySelector('.pdf-page') &&
    document.body.classList.contains('started') ? done(true) : setTimeout(look, 50);
  look();
})"""


class NoHandout(Exception):
    """One sentence: what the browser did not do."""


class Printer:
    """A running Chromium that prints decks; use it as a context."""

    def __init__(self, browser):
        self.browser = browser
        self.number = 0

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
            profile = stack.enter_context(folder)
            command = [
                *(self.browser, "--headless", *chromium.OPTIONS),
                *("--remote-debugging-port=0", f"--user-data-dir={profile}"),
            ]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
            try:
                process = subprocess.Popen(
                    command, text=True, errors="replace", **quiet
                )
            except OSError as error:
                raise NoHandout(f"{self.browser} does not start: {error}.") from error
            stack.callback(end, process)
            pattern = re.compile(r"DevTools listening on (ws://\S+)")
            lines = []
            for line in process.stderr:
                lines.append(line.strip())
                if pattern.search(line):
                    break
            else:
                said = next(filter(None, reversed(lines)), "it did not say why")
                raise NoHandout(f"{self.browser} does not start: {said}.")
            address = pattern.search(line).group(1)
            try:
                self.socket = create_connection(
                    address, timeout=PATIENCE, suppress_origin=True
                )
            except (OSError, WebSocketException) as error:
                raise NoHandout(f"{self.browser} does not answer: {error}.") from error
            stack.callback(self.socket.close)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def print(self, deck):
        """Print the deck of this file beside it, as PDF; returns the new path."""
        try:
            content = self._printed(f"{deck.as_uri()}?print-pdf")
        except (OSError, WebSocketException) as error:
            message = f"{self.browser} did not print {deck.name}: {error}."
            raise NoHandout(message) from error
        target = deck.with_suffix(".pdf")
        target.write_bytes(content)
        return target

    def _printed(self, address):
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attach = {"targetId": target, "flatten": True}
        session = self._ask("Target.attachToTarget", **attach)["sessionId"]
        self._ask("Page.navigate", session, url=address)
        evaluate = {"expression": READY, "awaitPromise": True}
        for _ in range(20):  # the page may still be the blank one
            found = self._ask("Runtime.evaluate", session, **evaluate)
            if found.get("result", {}).get("value"):
                break
        paper = {"preferCSSPageSize": True, "printBackground": True}
        made = self._ask("Page.printToPDF", session, **paper)
        self._ask("Target.closeTarget", targetId=target)
        return base64.b64decode(made["data"])

    def _ask(self, method, session=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise OSError(answer["error"].get("message", "it refused"))
                return answer["result"]


def end(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stderr.close()
