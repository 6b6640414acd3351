"""Nobody gets in without the token, under another name, or with too much."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.conftest import Served
from api.fake_ensemble import TINY
from tvb_nest_cosim.orchestrator.server.app import build_app, build_service
from tvb_nest_cosim.orchestrator.server.security.access import TokenError, load_or_make, make_new
from tvb_nest_cosim.orchestrator.server.security.guard import Guard
from tvb_nest_cosim.orchestrator.server.settings import Settings


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Does not look: the server of this module keeps idle threads from test to test."""


@pytest.fixture
def plain(shared: Served) -> Iterator[httpx.Client]:
    with shared.http as client:
        yield client


def operations(settings: Settings, ensemble: Any) -> list[tuple[str, str]]:
    """Every operation of the OpenAPI document, with names filled in."""
    service = build_service(settings, ensemble)
    document = build_app(service, load_or_make(settings.token_file)).openapi()
    service.database.close()
    return [
        (method.upper(), path.replace("{run}", "a").replace("{name}", "b"))
        for path, methods in document["paths"].items()
        for method in methods
    ]


def test_every_call_but_health_needs_the_token(
    shared: Served, plain: httpx.Client, settings: Settings, ensemble: Any
) -> None:
    calls = operations(settings, ensemble)
    assert len(calls) > 25
    for method, path in [*calls, ("GET", "/api/v1/openapi.json"), ("GET", "/api/v1/nothing")]:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "cosim_0=wrong"}):
            answer = plain.request(method, path, headers=headers)
            expected = 200 if path in ("/healthz", "/readyz") else 401
            assert answer.status_code == expected, (method, path, headers)
            if expected == 401:
                assert answer.headers["content-type"] == "application/problem+json"
                assert "token missing or wrong" in answer.json()["detail"]


def test_token_in_the_address_becomes_a_cookie_once(shared: Served, plain: httpx.Client) -> None:
    answer = plain.get("/", params={"token": shared.access.token, "view": "runs"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?view=runs"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert plain.get("/api/v1/runs").status_code == 200


def test_wrong_token_in_the_address_gives_no_cookie(plain: httpx.Client) -> None:
    answer = plain.get("/", params={"token": "wrong"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?denied=1")
    assert "set-cookie" not in answer.headers


def test_token_in_the_address_is_no_key_to_the_interface(
    shared: Served, plain: httpx.Client
) -> None:
    answer = plain.get("/api/v1/runs", params={"token": shared.access.token})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example", "/%5cevil.example"])
def test_handshake_never_leads_elsewhere(shared: Served, plain: httpx.Client, path: str) -> None:
    url = f"{shared.address}{path}?token={shared.access.token}"
    location = plain.get(url).headers["location"]
    assert location.startswith("/")
    assert location[1] not in "/\\"


def test_changing_calls_by_cookie_need_the_header(shared: Served, plain: httpx.Client) -> None:
    plain.get("/", params={"token": shared.access.token})
    body = {"experiment": TINY}
    forged = plain.post("/api/v1/runs", json=body)
    assert forged.status_code == 403
    assert "X-Cosim: 1" in forged.json()["detail"]
    assert plain.delete("/api/v1/runs/a").status_code == 403
    granted = plain.post("/api/v1/runs", json=body, headers={"X-Cosim": "1"})
    assert granted.status_code == 201
    shared.client.wait(granted.json()["id"])


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_other_names_are_refused_on_a_loopback_address(plain: httpx.Client, host: str) -> None:
    answer = plain.get("/healthz", headers={"Host": host})
    assert answer.status_code in (400, 421)


@pytest.mark.parametrize(
    "host", ["localhost/x?", "localhost/x#", "localhost/healthz?", "a@localhost", "localhost:1/x?"]
)
@pytest.mark.parametrize("is_public", [False, True])
def test_no_host_name_makes_a_path_look_like_another(
    shared: Served, host: str, is_public: bool
) -> None:
    guard = Guard(_reached, shared.access, shared.service.settings)
    if is_public:
        guard._hosts = None
    told: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/api/v1/runs", "query_string": b"",
        "scheme": "http", "server": ("127.0.0.1", 1), "headers": [(b"host", host.encode())],
    }  # fmt: skip
    asyncio.run(guard(scope, receive, send))
    assert told[0]["status"] == 421


async def _reached(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("the call was let through")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8642", "[::1]:5"])
def test_loopback_names_are_known(plain: httpx.Client, host: str) -> None:
    assert plain.get("/healthz", headers={"Host": host}).status_code == 200


def test_names_of_a_public_address_may_be_limited(settings: Settings) -> None:
    public = settings.model_copy(update={"host": "0.0.0.0"})  # noqa: S104
    assert public.known_hosts is None
    limited = public.model_copy(update={"allowed_hosts": ("cosim.lab",)})
    assert limited.known_hosts is not None
    assert {"cosim.lab", "localhost"} <= limited.known_hosts
    assert "evil.example" not in limited.known_hosts


def test_large_bodies_are_refused_told_or_untold(shared: Served) -> None:
    post = shared.client._http.post
    large = b'{"yaml": "' + b"a" * (1024 * 1024) + b'"}'
    told = post("/api/v1/runs", content=large)
    assert told.status_code == 413
    assert "1048576 bytes" in told.json()["detail"]
    untold = post(
        "/api/v1/runs", content=(large[i : i + 65536] for i in range(0, len(large), 65536))
    )
    assert untold.status_code == 413


@pytest.mark.parametrize("length", ["-1", "x", "99999999999999999999", "5"])
def test_wrong_lengths_do_no_harm(shared: Served, length: str) -> None:
    port = int(shared.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        head = (
            f"POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
            f"Authorization: Bearer {shared.access.token}\r\n\r\n"
        )
        raw.sendall(head.encode() + b"{{{{{")
        assert raw.recv(4096).startswith(b"HTTP/1.1 4")
    assert shared.client.runs().total >= 0


@pytest.mark.parametrize(
    "name",
    [
        "..%2f..%2ftoken", "%2e%2e/token", "%2fetc%2fpasswd", "..%5ctoken", "token",
        "journal", "nest-0.journal", ".spikes.h5.partial", "lock", "%00", "link.jsonl",
    ],
)  # fmt: skip
def test_no_name_leads_out_of_the_results(shared: Served, finished: str, name: str) -> None:
    run = finished
    home = shared.service.settings.home
    link = home / "runs" / run / "logs" / "link.jsonl"
    if not link.is_symlink():
        link.symlink_to(home / "token")
    for kind in ("files", "figures"):
        answer = shared.client._http.get(f"/api/v1/runs/{run}/{kind}/{name}")
        assert answer.status_code in (404, 405), name
        assert shared.access.token not in answer.text
    for path in (f"/api/v1/runs/{name}", f"/{name}", f"/api/v1/experiments/{name}"):
        answer = shared.client._http.get(path)
        assert shared.access.token not in answer.text
        assert answer.status_code in (200, 404, 422), path


def test_every_answer_carries_the_security_headers(shared: Served, plain: httpx.Client) -> None:
    for path in ("/", "/healthz", "/api/v1/runs", "/nothing"):
        headers = plain.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers
    assert plain.get("/api/v1/runs").headers["cache-control"] == "no-store"


def test_reports_and_figures_may_run_no_script(shared: Served, finished: str) -> None:
    run = finished
    for path in ("report.html", "figures/rates.svg", "files/report.html"):
        policy = shared.client._http.get(f"/api/v1/runs/{run}/{path}").headers[
            "content-security-policy"
        ]
        assert policy.startswith("default-src 'none'")
        assert "sandbox" in policy


def test_page_needs_no_token_and_holds_no_inline_script(plain: httpx.Client) -> None:
    page = plain.get("/")
    assert page.status_code == 200
    assert "<script>" not in page.text


def test_token_is_private_and_renewed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    first = load_or_make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_make(path).token == first.token
    assert len(first.token) >= 43
    second = make_new(path)
    assert second.token != first.token
    assert not second.admits(first.token)
    assert load_or_make(path).admits(second.token)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("token", [None, "", "ü", "\udcff", "x" * 10000])
def test_other_tokens_are_not_admitted(tmp_path: Path, token: str | None) -> None:
    assert not load_or_make(tmp_path / "token").admits(token)


def test_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    load_or_make(path)
    path.chmod(0o644)
    with pytest.raises(TokenError, match="can be read by others; make it private"):
        load_or_make(path)
    path.chmod(0o600)
    path.write_text("\n")
    with pytest.raises(TokenError, match="is empty"):
        load_or_make(path)
