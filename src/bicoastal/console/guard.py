"""Who may ask the console for what: this machine's browser, with the token, from the console's own page.

A page of another origin, a name that somebody else's DNS leads to this machine, and whoever has no token get nothing,
and nothing is changed by a GET. Everything that is answered forbids the browser to load anything from elsewhere.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bicoastal.console.key import HOST

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox allow-popups"
)
"""Reports are files of which anybody may have written one: they may look as they want, and do nothing."""
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_OPEN = ("/page/",)
"""The page itself holds no secret: it is what asks for the token."""
SESSION = "/api/session"


def cookie_name(port: int) -> str:
    """Browsers keep cookies by host alone: consoles on two ports must not take each other's away."""
    return f"bicoastal-console-{port}"


class Guard:
    """An ASGI application around the console's."""

    def __init__(self, inner: ASGIApp, token: str, port: int) -> None:
        self._inner, self._token, self._port = inner, token, port
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let it pass."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    given.setdefault(name, value)
                given.setdefault("content-security-policy", PAGE_POLICY)
            await send(message)

        if refusal is not None:
            status, why = refusal
            await JSONResponse({"error": why}, status)(scope, receive, guarded)
            return
        await self._inner(scope, receive, guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        path, method = scope["path"], scope["method"]
        if (elsewhere := self._elsewhere(method, headers)) is not None:
            return elsewhere
        if path == "/" or path.startswith(_OPEN):
            return None
        if headers.get("sec-fetch-site") not in (None, "same-origin", "none"):
            return 403, "another site's page may not ask this"
        if method == "POST" and headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return 415, "a change is asked for in JSON"
        if path == SESSION or self._has_token(headers):
            return None
        return 401, "the token is needed: open the address that was printed"

    def _elsewhere(self, method: str, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if host not in self._hosts:
            return 421, f"this is the console at {HOST}:{self._port}; open it by that name"
        if method not in ("GET", "HEAD", "POST"):
            return 405, "there is GET, which changes nothing, and POST"
        # A browser says where a request comes from; a program that says nothing still needs the token.
        if method == "POST" and headers.get("origin") != f"http://{host}":
            return 403, "a change is taken from the console's own page alone"
        return None

    def _has_token(self, headers: Headers) -> bool:
        return any(fits(given, self._token) for given in _given(headers, cookie_name(self._port)))


def fits(given: str, token: str) -> bool:
    """Whether it is the token; takes as long whatever was given."""
    return hmac.compare_digest(given.encode(), token.encode())


def _given(headers: Headers, name: str) -> Iterable[str]:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield value.strip()
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return
    if name in jar:
        yield jar[name].value
