"""The web server: what each path answers. Reads go on whatever happens to the writer; a write without one is 503."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import parse_qs
from uuid import UUID, uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from .page import View, render
from .settings import Settings
from .store import Conflict, DatabaseStatus, Order, Store, Unavailable

RETRY_AFTER_S = "5"
_BODY_LIMIT = 16 * 1024
_SHOWN = 12
_LISTED = 100
_READ_ONLY = "No database takes orders right now. Nothing is lost: try again in a few seconds."
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'self'; img-src data:; frame-ancestors 'none'; form-action 'self'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_STATIC = Path(__file__).parent / "static"


class Invalid(Exception):  # noqa: N818 - the caller's input
    """What was sent cannot be an order."""


@dataclass(frozen=True)
class Wanted:
    """An order as it was sent."""

    id: UUID
    item: str
    quantity: int


class Web:
    """The paths."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = Store(settings)

    @contextlib.asynccontextmanager
    async def life(self, _: Starlette) -> AsyncIterator[None]:
        """From the start to the end of the server."""
        await self._store.open()
        yield
        await self._store.close()

    async def healthz(self, _: Request) -> Response:
        """Asks nobody: a database that is away must not take every server with it."""
        return PlainTextResponse("ok\n")

    async def page(self, request: Request) -> Response:
        """The page."""
        return await self._page(said=request.query_params.get("stored", "") and "The order is stored.")

    async def submit(self, request: Request) -> Response:
        """The page's form. Its id was made with the page, so that sending it twice stores it once."""
        form = {key: values[0] for key, values in parse_qs((await _body(request)).decode("utf-8", "replace")).items()}
        try:
            wanted = _order(form.get("id"), form.get("item"), form.get("quantity"))
            await self._store.add(wanted.id, wanted.item, wanted.quantity)
        except Invalid as error:
            return await self._page(400, problem=str(error), form=form)
        except Conflict:
            return await self._page(409, problem="This form was sent before with another content. Send it again.")
        except Unavailable:
            return await self._page(503, problem=_READ_ONLY, form=form)
        return RedirectResponse("/?stored=1", 303)

    async def orders(self, _: Request) -> Response:
        """The last orders, and whose copy of them this is."""
        try:
            latest = await self._store.latest(_LISTED)
            known = {"region": self._settings.region, "replica": latest.replica, "host": latest.host}
            return _json({**known, "orders": [_plain(order) for order in latest.orders]})
        except Unavailable as error:
            return _unavailable(f"orders cannot be read: {error}")

    async def order(self, request: Request) -> Response:
        """One order."""
        try:
            order = await self._store.find(request.path_params["order_id"])
        except Unavailable as error:
            return _unavailable(f"orders cannot be read: {error}")
        return _json({"error": "no such order here"}, 404) if order is None else _json(_plain(order))

    async def add(self, request: Request) -> Response:
        """Store one: 201, or 200 if it was there already."""
        try:
            data = json.loads(await _body(request))
            if not isinstance(data, dict):
                raise Invalid("send one JSON object")
            wanted = _order(data.get("id"), data.get("item"), data.get("quantity", 1))
            order, created = await self._store.add(wanted.id, wanted.item, wanted.quantity)
        except (Invalid, ValueError) as error:
            return _json({"error": str(error)}, 400)
        except Conflict as error:
            return _json({"error": str(error)}, 409)
        except Unavailable as error:
            return _unavailable(f"orders cannot be stored: {error}")
        return _json(_plain(order), 201 if created else 200)

    async def status(self, _: Request) -> Response:
        """What the page's head shows."""
        view = await self._view()
        return _json(
            {
                "region": view.region,
                "availability_zone": view.zone,
                "instance": view.instance,
                "writable": view.writable,
                "database": None if view.database is None else asdict(view.database),
            }
        )

    async def _view(self) -> View:
        database: DatabaseStatus | None = None
        with contextlib.suppress(Unavailable):
            database = await self._store.status()
        mine = self._settings
        writable = await self._store.writable()
        return View(mine.title, mine.region, mine.zone, mine.instance, writable, database)

    async def _page(
        self, status: int = 200, *, said: str = "", problem: str = "", form: dict[str, str] | None = None
    ) -> Response:
        orders: list[Order] | None = None
        with contextlib.suppress(Unavailable):
            orders = (await self._store.latest(_SHOWN)).orders
        if orders is None and status == 200:
            status = 503
        known = form or {}
        text = render(
            await self._view(), orders, form_id=known.get("id") or str(uuid4()), form=known, said=said, problem=problem
        )
        return HTMLResponse(text, status, headers=_retry(status))


def application(settings: Settings) -> Starlette:
    """The whole application."""
    web = Web(settings)
    files = [_file(path, kind) for path, kind in (("style.css", "text/css"), ("live.js", "text/javascript"))]
    return Starlette(
        routes=[
            Route("/", web.page),
            Route("/orders", web.submit, methods=["POST"]),
            Route("/healthz", web.healthz),
            Route("/api/status", web.status),
            Route("/api/orders", web.orders, methods=["GET"]),
            Route("/api/orders", web.add, methods=["POST"]),
            Route("/api/orders/{order_id:uuid}", web.order),
            *files,
        ],
        lifespan=web.life,
    )


def _order(order_id: object, item: object, quantity: object) -> Wanted:
    """Check what was sent. Raises Invalid with what to send instead."""
    try:
        key = uuid4() if order_id in (None, "") else UUID(str(order_id))
    except ValueError as error:
        raise Invalid("id must be a UUID") from error
    if not isinstance(item, str) or not 1 <= len(item.strip()) <= 200 or "\0" in item:
        raise Invalid("item must be a text of 1 to 200 characters")
    try:
        number = quantity if isinstance(quantity, int) else int(str(quantity))
    except ValueError as error:
        raise Invalid("quantity must be a whole number") from error
    if isinstance(quantity, bool) or not 1 <= number <= 1000:
        raise Invalid("quantity must be from 1 to 1000")
    return Wanted(key, item.strip(), number)


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _BODY_LIMIT:
            raise Invalid(f"send at most {_BODY_LIMIT} bytes")
    return body


def _plain(order: Order) -> dict[str, object]:
    return {**asdict(order), "id": str(order.id), "stored_at": order.stored_at.isoformat()}


def _retry(status: int) -> dict[str, str]:
    return {**_HEADERS, "Retry-After": RETRY_AFTER_S} if status == 503 else dict(_HEADERS)


def _json(data: object, status: int = 200) -> Response:
    return JSONResponse(data, status, headers=_retry(status))


def _unavailable(text: str) -> Response:
    return _json({"error": text}, 503)


def _file(name: str, kind: str) -> Route:
    content = (_STATIC / name).read_bytes()

    async def serve(_: Request) -> Response:
        return Response(content, media_type=f"{kind}; charset=utf-8", headers={"Cache-Control": "public, max-age=300"})

    return Route(f"/{name}", serve)
