"""Stands before every route: host name, token, forged requests, size of bodies, headers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tvb_nest_cosim.orchestrator.server.problems import problem
from tvb_nest_cosim.orchestrator.server.security.access import Access
from tvb_nest_cosim.orchestrator.server.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OPEN = frozenset({"/healthz", "/readyz"})
"""Calls that need no token: they say nothing of any run."""

PROTECTED = ("/api/", "/metrics")
"""Everything but these and the calls above is the page: static files without secrets, which asks
for the token itself."""

FORGERY_HEADER = "x-cosim"
"""A page of another site cannot send this header along with the cookie."""

_HOST = re.compile(
    r"(\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(:[0-9]{1,5})?", re.ASCII
)

_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'self'"
)
"""Content-security policy of the page: nothing from elsewhere, no script inside HTML."""

DOCUMENT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
"""Policy of reports and figures, which hold names that users wrote: no script at all."""

_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Lets through what may pass, and answers the rest itself.

    Args:
        app: What is guarded.
        access: Knows the token.
        settings: Settings of the server.
    """

    def __init__(self, app: Asgi, access: Access, settings: Settings) -> None:
        self._app = app
        self._access = access
        self._hosts = settings.known_hosts
        self._max_body_bytes = settings.max_body_bytes
        self._cookie = f"cosim_{settings.port}"

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Takes one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        answer = self._answer(request)
        sending = _with_headers(send, is_private=scope["path"].startswith(PROTECTED))
        if answer is not None:
            await answer(scope, receive, sending)
        else:
            await self._app(scope, self._bounded(receive), sending)

    def _answer(self, request: Request) -> Response | None:
        """Returns the answer to a request that may not pass; None if it may."""
        # The path that routes are chosen by. That of request.url is made with the Host header, by
        # which a client could make it look like another.
        path = request.scope["path"]
        if not self._is_known(request.headers.get("host", "")):
            return problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                "this server is not called by that name; --allow-host adds one",
            )
        if self._is_too_large(request):
            return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._limit())
        if path in OPEN:
            return None
        if path.startswith(PROTECTED):
            return self._refusal(request)
        if "token" in request.query_params and request.method == "GET":
            return self._handshake(request)
        return None

    def _refusal(self, request: Request) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            if self._access.admits(token.strip()):
                return None
        elif self._access.admits(request.cookies.get(self._cookie)):
            if request.method in _CHANGING and request.headers.get(FORGERY_HEADER) != "1":
                return problem(
                    HTTPStatus.FORBIDDEN,
                    "a changing call with the page's cookie needs the header X-Cosim: 1",
                )
            return None
        return problem(
            HTTPStatus.UNAUTHORIZED,
            "token missing or wrong; send 'Authorization: Bearer TOKEN', or open the address that "
            "the server printed when it started",
            headers={"WWW-Authenticate": "Bearer"},
        )

    def _handshake(self, request: Request) -> Response:
        """Turns the token of a printed address into a cookie, and takes it out of the address."""
        rest = [(k, v) for k, v in request.query_params.multi_items() if k != "token"]
        is_right = self._access.admits(request.query_params["token"])
        if not is_right:
            rest.append(("denied", "1"))
        # Of this server in any case: a path of "//elsewhere" must not become an address.
        path = quote("/" + request.scope["path"].lstrip("/\\"))
        answer = RedirectResponse(f"{path}?{urlencode(rest)}" if rest else path, 303)
        if is_right:
            answer.set_cookie(
                self._cookie,
                self._access.token,
                httponly=True,
                samesite="strict",
                secure=request.url.scheme == "https",
            )
        return answer

    def _is_known(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = (found["six"] or found["name"]).lower()
        return self._hosts is None or name in self._hosts

    def _is_too_large(self, request: Request) -> bool:
        length = request.headers.get("content-length", "0")
        return not length.isascii() or not length.isdigit() or int(length) > self._max_body_bytes

    def _limit(self) -> str:
        return f"a request may have {self._max_body_bytes} bytes; an experiment has a few kB"

    def _bounded(self, receive: Receive) -> Receive:
        """Counts bodies whose length was not announced."""
        got = 0

        async def bounded() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > self._max_body_bytes:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._limit())
            return message

        return bounded


def _with_headers(send: Send, *, is_private: bool) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if is_private:
                headers.setdefault("cache-control", "no-store")
        await send(message)

    return sending
