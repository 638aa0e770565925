"""The wire: distance, order, cuts of one direction, resets. Real sockets on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from bicoastal.core.errors import SystemFault
from bicoastal.twin.wire import _LATE_S, Address, Cut, Listener, Place, Route, Wire

EAST, WEST = Place("us-east-1", "us-east-1a"), Place("us-west-2", "us-west-2a")
SILENCE_S = 0.3
"""Longer than any round trip here: what has not come by then is not on its way."""


class Echo:
    """Answers each byte, and remembers what arrived."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address: Address = self.socket.getsockname()
        self.arrived: list[tuple[float, bytes]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        # Or the thread that accepts would keep it open.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while data := connection.recv(65536):
                self.arrived.append((time.monotonic(), data))
                connection.sendall(data)
        except OSError:
            pass
        finally:
            connection.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    if made.socket.fileno() >= 0:
        made.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as made:
        yield made


def between(wire: Wire, echo: Echo, source: Place, destination: Place) -> Listener:
    return wire.listen(("127.0.0.1", 0), lambda _: Route(source, destination, echo.address))


def connect(listener: Listener) -> socket.socket:
    return socket.create_connection(listener.address, timeout=5)


def asked(connection: socket.socket, data: bytes = b"x") -> float:
    """The seconds until the answer."""
    begun = time.monotonic()
    connection.sendall(data)
    assert connection.recv(len(data)) == data
    return time.monotonic() - begun


@pytest.mark.parametrize(
    ("destination", "least", "most"),
    [(WEST, 0.065, 0.095), (Place("us-east-1", "us-east-1b"), 0.001, 0.03), (EAST, 0.0, 0.03)],
)
def test_a_round_trip_takes_its_time(wire: Wire, echo: Echo, destination: Place, least: float, most: float) -> None:
    with connect(between(wire, echo, EAST, destination)) as connection:
        asked(connection)
        fastest = min(asked(connection) for _ in range(5))
    assert least <= fastest < most


def test_a_handshake_is_a_round_trip_before_the_first_byte(wire: Wire, echo: Echo) -> None:
    begun = time.monotonic()
    with connect(between(wire, echo, EAST, WEST)) as connection:
        asked(connection)
    assert echo.arrived[0][0] - begun >= 1.5 * 0.065


def test_order_is_kept_and_much_may_be_under_way(wire: Wire, echo: Echo) -> None:
    sent = b"".join(number.to_bytes(4, "big") for number in range(100_000))
    with connect(between(wire, echo, EAST, WEST)) as connection:
        threading.Thread(target=connection.sendall, args=(sent,), daemon=True).start()
        got = b""
        while len(got) < len(sent):
            got += connection.recv(65536)
    assert got == sent


def test_a_black_hole_holds_back_one_direction_until_it_heals(wire: Wire, echo: Echo) -> None:
    with connect(between(wire, echo, EAST, WEST)) as connection:
        asked(connection)
        wire.cut("us-west-2", "us-east-1", "black-hole")
        connection.sendall(b"there")
        connection.settimeout(SILENCE_S)
        with pytest.raises(TimeoutError):
            connection.recv(5)
        assert b"".join(data for _, data in echo.arrived) == b"xthere"
        wire.heal()
        connection.settimeout(5)
        assert connection.recv(5) == b"there"


def test_nothing_arrives_in_a_black_hole_that_is_new(wire: Wire, echo: Echo) -> None:
    wire.cut("us-east-1", "us-west-2", "black-hole")
    with connect(between(wire, echo, EAST, WEST)) as connection:
        connection.sendall(b"x")
        connection.settimeout(SILENCE_S)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert echo.arrived == []


def test_a_cut_that_refuses_resets_what_is_open_and_what_is_new(wire: Wire, echo: Echo) -> None:
    listener = between(wire, echo, EAST, WEST)
    with connect(listener) as connection:
        asked(connection)
        wire.cut("us-west-2", "us-east-1", "refuse")
        with pytest.raises(ConnectionError):
            connection.recv(1)
    with pytest.raises(ConnectionError), connect(listener) as another:
        another.recv(1)
    wire.heal("us-west-2", "us-east-1")
    with connect(listener) as healed:
        asked(healed)


@pytest.mark.parametrize("decision", ["refuse", "black-hole"])
def test_a_router_can_turn_connections_away(wire: Wire, echo: Echo, decision: Cut) -> None:
    listener = wire.listen(("127.0.0.1", 0), lambda _: decision)
    expected = ConnectionError if decision == "refuse" else TimeoutError
    with pytest.raises(expected), socket.create_connection(listener.address, timeout=SILENCE_S) as connection:
        connection.recv(1)
    assert echo.arrived == []


def test_drop_resets_what_is_open_and_takes_what_comes(wire: Wire, echo: Echo) -> None:
    listener = between(wire, echo, EAST, EAST)
    with connect(listener) as connection:
        asked(connection)
        listener.drop()
        with pytest.raises(ConnectionError):
            connection.recv(1)
    with connect(listener) as another:
        asked(another)


def test_what_nobody_serves_is_reset(wire: Wire, echo: Echo) -> None:
    echo.close()
    listener = between(wire, echo, EAST, EAST)
    with pytest.raises(ConnectionError), connect(listener) as connection:
        connection.recv(1)


def test_the_end_of_a_client_reaches_the_server(wire: Wire, echo: Echo) -> None:
    with connect(between(wire, echo, EAST, WEST)) as connection:
        connection.sendall(b"last words")
        connection.shutdown(socket.SHUT_WR)
        got = b""
        while data := connection.recv(100):
            got += data
    assert got == b"last words"


def test_a_taken_address_is_one_clear_line(wire: Wire, echo: Echo) -> None:
    with pytest.raises(SystemFault, match=r"127.0.0.1:\d+ cannot be listened on: Address already in use"):
        wire.listen(echo.address, lambda _: "refuse")


def test_stop_closes_everything(echo: Echo) -> None:
    wire = Wire()
    wire.start()
    listener = between(wire, echo, EAST, EAST)
    with connect(listener) as connection:
        asked(connection)
        wire.stop()
        with pytest.raises(ConnectionError):
            connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(listener)


def test_stop_waits_for_no_route_and_reports_none(caplog: pytest.LogCaptureFixture) -> None:
    asked_for, go_on = threading.Event(), threading.Event()

    def slow(_: Address) -> Cut:
        asked_for.set()
        go_on.wait(20)
        return "refuse"

    wire = Wire()
    wire.start()
    listener = wire.listen(("127.0.0.1", 0), slow)
    try:
        with connect(listener) as connection:
            assert asked_for.wait(20)
            wire.stop()
            with pytest.raises(ConnectionError):
                connection.recv(1)
    finally:
        go_on.set()
    assert [record.getMessage() for record in caplog.records] == []


def test_who_has_gone_while_others_were_routed_is_not_asked_about(echo: Echo) -> None:
    asked: list[Address] = []
    go_on = threading.Event()

    def route(peer: Address) -> Route:
        asked.append(peer)
        assert go_on.wait(20), "the test lets it go on"
        return Route(EAST, EAST, echo.address)

    with Wire(routers=1) as wire, socket.create_connection(wire.listen(("127.0.0.1", 0), route).address, 5) as first:
        at = first.getpeername()
        gave_up = socket.create_connection(at, 5)
        gave_up.sendall(b"?")
        gave_up.close()
        with socket.create_connection(at, 5) as waits:
            time.sleep(_LATE_S + SILENCE_S)
            go_on.set()
            for patient in (first, waits):
                patient.settimeout(5)
                patient.sendall(b"!")
                assert patient.recv(1) == b"!"
            assert asked == [first.getsockname(), waits.getsockname()]
