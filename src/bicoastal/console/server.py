"""The console: one page, one stream of what is seen, and a handful of things that may be asked for.

    GET  /                 the page, which asks for the token and has nothing in it
    POST /api/session      the token for a cookie
    GET  /api/feed         what is seen, as server-sent events, for as long as the page is open
    POST /api/look         look at everything now
    POST /api/operation    start failover, switchover or rejoin; /stop interrupts it
    POST /api/fault        on a twin: take something away, or give it back
    POST /api/drill        rehearse something on a twin of its own; /stop ends it
    GET  /reports/NAME     a drill's report

A console is put together by who runs it (`cli.up`, `cli.console`): what it may do follows from what it is given.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from bicoastal.console.drills import Drills
from bicoastal.console.faults import Hand
from bicoastal.console.feed import Feed
from bicoastal.console.guard import REPORT_POLICY, Guard, cookie_name, fits
from bicoastal.console.key import Key
from bicoastal.console.operations import Operations, Wish
from bicoastal.core.errors import BicoastalError, Refused
from bicoastal.operate.transitions import Operation
from bicoastal.operate.watch.watcher import Watcher

PAGE = Path(__file__).parent / "page"
_LARGEST = 20_000
"""Bytes of what is asked for."""
_STOP_S = 5.0


@dataclass(frozen=True)
class Parts:
    """What a console is made of; `hand` is a twin's, and `drills` are for where a twin can run."""

    feed: Feed
    watcher: Watcher
    operations: Operations
    drills: Drills
    hand: Hand | None


class Console:
    """Serves in a thread of its own until it is stopped; also a context manager."""

    def __init__(self, key: Key, listening: socket.socket, parts: Parts) -> None:
        self.key = key
        self.feed = parts.feed
        self.address: tuple[str, int] = listening.getsockname()[:2]
        self._listening, self._parts = listening, parts
        config = uvicorn.Config(
            application(key, parts), log_level="warning", lifespan="off", access_log=False, ws="none", http="h11",
            loop="asyncio", server_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="console", daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def prepare(self) -> None:
        """Do beside what is slow the first time, so that the first page has its picture at once."""
        threading.Thread(target=self._parts.watcher.prepare, name="console prepares", daemon=True).start()

    def stop(self) -> None:
        """End, with everything that was started from the page."""
        self._parts.feed.close()
        self._parts.watcher.stop()
        self._server.should_exit = True
        self._parts.operations.end()
        self._parts.drills.end()
        self._thread.join(_STOP_S)
        self._listening.close()

    def __enter__(self) -> Console:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.stop()

    def _serve(self) -> None:
        self._server.run(sockets=[self._listening])


def application(key: Key, parts: Parts) -> Guard:
    """What answers, with who may ask in front of it."""
    return Guard(Starlette(routes=_Routes(key, parts).all()), key.token, key.port)


class _Routes:
    """Each parses, calls, and answers; what is refused is answered with its reason."""

    def __init__(self, key: Key, parts: Parts) -> None:
        self._key, self._parts = key, parts

    def all(self) -> list[Route | Mount]:
        return [
            Route("/", self.page),
            Route("/api/session", self.session, methods=["POST"]),
            Route("/api/feed", self.feed),
            Route("/api/look", self.changing(self.look), methods=["POST"]),
            Route("/api/operation", self.changing(self.operation), methods=["POST"]),
            Route("/api/operation/stop", self.changing(self.stop_operation), methods=["POST"]),
            Route("/api/fault", self.changing(self.fault), methods=["POST"]),
            Route("/api/drill", self.changing(self.drill), methods=["POST"]),
            Route("/api/drill/stop", self.changing(self.stop_drill), methods=["POST"]),
            Route("/reports/{name}", self.report),
            Mount("/page", StaticFiles(directory=PAGE)),
        ]

    async def page(self, request: Request) -> Response:
        del request
        return FileResponse(PAGE / "index.html")

    async def session(self, request: Request) -> Response:
        body = await _body(request)
        if body is None or not fits(str(body.get("token", "")), self._key.token):
            return JSONResponse({"error": "this is not the token of this console"}, 401)
        answer = JSONResponse({})
        answer.set_cookie(cookie_name(self._key.port), self._key.token, httponly=True, samesite="strict", path="/")
        return answer

    async def feed(self, request: Request) -> Response:
        known = request.headers.get("last-event-id", "")
        return StreamingResponse(self._parts.feed.listen(known), media_type="text/event-stream")

    async def report(self, request: Request) -> Response:
        found = self._parts.drills.report(request.path_params["name"])
        if found is None:
            return JSONResponse({"error": "there is no such report"}, 404)
        return FileResponse(found, media_type="text/html", headers={"content-security-policy": REPORT_POLICY})

    def changing(self, act: Callable[[Mapping[str, Any]], None]) -> Callable[[Request], Any]:
        """An act as an endpoint: run beside, for taking a region away takes its time."""
        from starlette.concurrency import run_in_threadpool  # noqa: PLC0415 - with the routes alone

        async def endpoint(request: Request) -> Response:
            body = await _body(request)
            if body is None:
                return JSONResponse({"error": "what is asked for is no JSON object, or a large one"}, 400)
            try:
                await run_in_threadpool(act, body)
            except BicoastalError as error:
                return JSONResponse({"error": str(error)}, 409 if isinstance(error, Refused) else 502)
            except OSError as error:
                return JSONResponse({"error": str(error)}, 502)
            return JSONResponse({}, 202)

        return endpoint

    def look(self, body: Mapping[str, Any]) -> None:
        del body
        self._parts.watcher.again()

    def operation(self, body: Mapping[str, Any]) -> None:
        try:
            verb = Operation(str(body.get("verb")))
        except ValueError as error:
            raise Refused(f"{body.get('verb')!r} is no operation: there are {', '.join(Operation)}.") from error
        self._parts.operations.start(
            Wish(
                verb, str(body.get("region", "")), str(body.get("reason", "")).strip(),
                plan=body.get("plan") is True, typed=str(body.get("typed", "")),
            )
        )  # fmt: skip

    def stop_operation(self, body: Mapping[str, Any]) -> None:
        del body
        self._parts.operations.interrupt()

    def fault(self, body: Mapping[str, Any]) -> None:
        if self._parts.hand is None:
            raise Refused("nothing can be taken away here: this is no twin of this console.")
        self._parts.hand.do(body)
        self._parts.feed.put("faults", self._parts.hand.standing())

    def drill(self, body: Mapping[str, Any]) -> None:
        seed = body.get("seed")
        self._parts.drills.start(
            str(body.get("name", "")), str(body.get("pace", "fast")), seed if isinstance(seed, int) else None,
            stay=body.get("stay") is True,
        )  # fmt: skip

    def stop_drill(self, body: Mapping[str, Any]) -> None:
        del body
        self._parts.drills.interrupt()


async def _body(request: Request) -> Mapping[str, Any] | None:
    """The JSON object that was sent; None for anything else."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _LARGEST:
            return None
    try:
        found = json.loads(data or b"{}")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
