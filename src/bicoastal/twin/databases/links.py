"""The wire's listeners of a DB instance: the endpoint that clients know, and the way of each server to its upstream.

An endpoint is one address for as long as the instance lives, whoever serves behind it. Who may not come in, by the
API's security groups and routes, meets silence: a firewall drops packets and does not say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bicoastal.twin.databases.desired import Key
from bicoastal.twin.databases.site import Site
from bicoastal.twin.interfaces import INTERNET, database_name
from bicoastal.twin.wire import Address, Cut, Listener, Place, Route, Wire

Serving = Callable[[], tuple[Place, Address] | None]
"""Where a server is, and where it listens; None while none does."""


class Link:
    """From one server to the one that it follows: the distance between them, and the wire's cuts, lie on it."""

    def __init__(self, wire: Wire, here: Callable[[], Place], there: Serving) -> None:
        self._here = here
        self._there = there
        self._listener = wire.listen(("127.0.0.1", 0), self._route)

    @property
    def port(self) -> int:
        """On 127.0.0.1."""
        return self._listener.address[1]

    def drop(self) -> None:
        """What is behind has moved."""
        self._listener.drop()

    def close(self) -> None:
        """It is not needed any more."""
        self._listener.close()

    def _route(self, peer: Address) -> Route | Cut:
        del peer
        found = self._there()
        return Route(self._here(), *found) if found else "refuse"


class Endpoint:
    """What clients connect to."""

    def __init__(self, site: Site, key: Key, serving: Serving) -> None:
        """Nothing listens before `open`."""
        self.address = site.ground.addresses.of(database_name(key.region, key.identifier))
        self._site = site
        self._key = key
        self._serving = serving
        self._listener: Listener | None = None
        self._port = 0
        self._closed = 0

    def open(self, port: int) -> None:
        """Listen, if it does not. Raises SystemFault when another program holds the address."""
        if self._listener is not None and self._port != port:
            self.close()
        if self._listener is None:
            self._listener = self._site.ground.wire.listen((self.address, port), self._route)
            self._port = port

    def close(self) -> None:
        """Listen no more."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    def drop(self) -> None:
        """End every connection."""
        if self._listener is not None:
            self._listener.drop()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody comes in, and who was in is thrown out: the database restarts, or moves."""
        self._closed += 1
        try:
            self.drop()
            yield
        finally:
            # Who came in while it was closing is on the server that was: gone with it.
            self.drop()
            self._closed -= 1

    def _route(self, peer: Address) -> Route | Cut:
        region, ground = self._key.region, self._site.ground
        owner = ground.caller(peer)
        place = self._site.place(owner) if owner else Place(ground.addresses.coast_of(peer[0]) or region)
        lost = self._site.lost(region)
        if lost == "black-hole" and (not owner or place.region != region):
            return "black-hole"
        name = database_name(region, self._key.identifier)
        if not self._site.admits(owner or INTERNET, name, self._port).allowed:
            return "black-hole"
        serving = None if self._closed else self._serving()
        return Route(place, *serving) if serving else "refuse"
