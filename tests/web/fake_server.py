"""A server that speaks the REST interface with invented runs, so that the page is tested alone."""

from __future__ import annotations

import json
import mimetypes
import secrets
import sys
import threading
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from web import fake_runs
from web.fake_runs import FakeRun

ROOT = Path(__file__).parents[2]
WEB = ROOT / "services" / "orchestrator" / "web"
EXAMPLES = ROOT / "examples"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Stricter than the real server's: a page that keeps to this keeps to that."""

PREFIX = "/api/v1"


@dataclass
class FakeServer:
    """What the handlers share.

    Attributes:
        token: What a client must know.
        runs: By identity, the newest last.
        is_down: Whether every call of the interface fails.
        drops: Counts up when event streams are to be cut.
    """

    token: str = field(default_factory=lambda: secrets.token_hex(8))
    runs: dict[str, FakeRun] = field(default_factory=dict)
    is_down: bool = False
    drops: int = 0
    streams: list[str | None] = field(default_factory=list)
    address: str = ""

    def __enter__(self) -> FakeServer:
        handler = type("Handler", (_Handler,), {"fake": self})
        self._http = _Server(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self._http.server_port}/"
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True),
            threading.Thread(target=self._tick, daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.drops += 1
        self._http.shutdown()
        self._http.server_close()
        for thread in self._threads:
            thread.join()

    def _tick(self) -> None:
        while not self._stopped.wait(0.03):
            for run in list(self.runs.values()):
                run.tick()

    def add(self, **values: Any) -> FakeRun:
        """Adds a run."""
        run = FakeRun(id=f"run-{len(self.runs) + 1:04d}", **values)
        self.runs[run.id] = run
        return run

    @property
    def signed_in(self) -> str:
        """Address with the token."""
        return f"{self.address}?token={self.token}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keeps quiet about pages that were left while they were answered."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    fake: FakeServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if not parts.path.startswith(PREFIX):
            self._page(parts.path, query)
        elif self._may():
            self._get([unquote(part) for part in parts.path[len(PREFIX) + 1 :].split("/")], query)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length) or b"{}")
        if self._may():
            self._post(urlsplit(self.path).path[len(PREFIX) + 1 :].split("/"), body)

    def do_DELETE(self) -> None:
        if self._may():
            del self.fake.runs[self.path.rsplit("/", 1)[-1]]
            self._send(204, b"", "text/plain")

    def _may(self) -> bool:
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("cosim")
        if self.fake.is_down:
            self._json(503, {"detail": "down"})
        elif cookie is None or cookie.value != self.fake.token:
            self._json(401, {"detail": "token missing or wrong"})
        elif self.command != "GET" and self.headers.get("X-Cosim") != "1":
            self._json(403, {"detail": "a changing call needs the header X-Cosim: 1"})
        else:
            return True
        return False

    def _page(self, path: str, query: dict[str, str]) -> None:
        if "token" in query:
            is_right = query["token"] == self.fake.token
            cookie = f"cosim={self.fake.token}; HttpOnly; SameSite=Strict; Path=/"
            headers = {"Location": "/" if is_right else "/?denied=1"}
            self._send(
                303, b"", "text/plain", {**headers, **({"Set-Cookie": cookie} if is_right else {})}
            )
            return
        file = WEB / ("index.html" if path == "/" else path.lstrip("/"))
        if not file.is_file() or WEB not in file.resolve().parents:
            self._json(404, {"detail": "no such file"})
            return
        kind = mimetypes.guess_type(file.name)[0] or "text/plain"
        self._send(200, file.read_bytes(), kind, {"Content-Security-Policy": POLICY})

    def _get(self, path: list[str], query: dict[str, str]) -> None:
        match path:
            case ["runs"]:
                self._json(200, fake_runs.page(self.fake.runs, query))
            case ["experiments"]:
                self._json(200, fake_runs.examples(EXAMPLES))
            case ["experiments", name]:
                self._send(200, (EXAMPLES / f"{name}.yaml").read_bytes(), "application/yaml")
            case ["ensemble"]:
                self._json(200, {"launcher": "local", "agents": [{"role": "nest", "host": "here"}]})
            case ["runs", run, *rest] if run in self.fake.runs:
                self._get_of(self.fake.runs[run], rest, query)
            case _:
                self._json(404, {"detail": "there is no such run"})

    def _get_of(self, run: FakeRun, rest: list[str], query: dict[str, str]) -> None:
        match rest:
            case []:
                self._json(200, run.answer())
            case ["events"]:
                self._events(run)
            case ["experiment"]:
                self._json(200, yaml.safe_load(run.yaml))
            case ["figures", name]:
                self._send(200, fake_runs.figure(name), "image/svg+xml")
            case ["files", _] | ["report.html"] | ["archive.zip"]:
                self._send(200, b"content", "text/plain")
            case [name] if (answer := run.look(name, query)) is not None:
                self._json(200, answer)
            case _:
                self._json(404, {"detail": f"this run has no {'/'.join(rest)}"})

    def _post(self, path: list[str], body: dict[str, Any]) -> None:
        match path:
            case ["validate"]:
                self._json(200, fake_runs.verdict(body))
            case ["runs"]:
                faults = fake_runs.verdict(body)["faults"]
                if faults:
                    self._json(422, {"detail": "the experiment has faults", "faults": faults})
                    return
                self._json(201, self.fake.add(**fake_runs.from_body(body)).answer())
            case ["runs", run, what]:
                self.fake.runs[run].command(what, body)
                self._json(202, self.fake.runs[run].answer())
            case _:
                self._json(404, {"detail": "there is no such call"})

    def _events(self, run: FakeRun) -> None:
        after = self.headers.get("Last-Event-ID")
        self.fake.streams.append(after)
        sent, drops = int(after or 0), self.fake.drops
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            while self.fake.drops == drops:
                frames = run.frames(sent)
                sent += len(frames)
                self.wfile.write("".join(frames).encode())
                if not frames and run.is_over:
                    break
                run.wait_for_event(sent)
        except OSError:
            return  # the page was left
        finally:
            self.close_connection = True

    def _json(self, status: int, tree: Any) -> None:
        self._send(status, json.dumps(tree).encode(), "application/json")

    def _send(
        self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


if __name__ == "__main__":
    with FakeServer(token="dev") as server:  # noqa: S106 - a token for development
        print(server.signed_in)
        threading.Event().wait()
