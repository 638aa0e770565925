"""Whose socket it is, where the kernel has given one local port to several connections."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from bicoastal.twin import callers
from bicoastal.twin.account import Account
from bicoastal.twin.callers import Address, caller
from bicoastal.twin.home import Home
from bicoastal.twin.processes import Process, Program

OWNER = "instance/us-east-1/i-1"
MANY = 8
"""In which order the kernel lists two sockets of a port is chance."""
CONNECT = """
import socket, sys, time
kept = []
for port in sys.argv[2:]:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", int(port)))
    made.connect(("127.0.0.1", int(sys.argv[1])))
    kept.append(made)
time.sleep(60)
"""


@pytest.fixture
def servers() -> Iterator[list[socket.socket]]:
    made = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    yield made
    for server in made:
        server.close()


def connect(server: socket.socket) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", 0))
    made.connect(server.getsockname())
    return made


@contextmanager
def program(home: Home, server: socket.socket, ports: list[int]) -> Iterator[list[Address]]:
    """An instance's program that connects from these ports; from where it did."""
    # As ourselves: the account of servers may not be able to reach this interpreter.
    ourselves = Account("ourselves", os.geteuid(), os.getegid(), dropped=False)
    command = (sys.executable, "-c", CONNECT, str(server.getsockname()[1]), *map(str, ports))
    running = Process(home, Program("caller", command, owner=OWNER), home.log("caller"), ourselves)
    running.start()
    server.settimeout(20)
    with ExitStack() as stack:
        stack.callback(running.kill)
        peers = []
        for _ in ports:
            connection, peer = server.accept()
            stack.enter_context(closing(connection))
            peers.append(peer[:2])
        yield peers


def test_a_port_that_another_connection_has_just_left(home: Home, servers: list[socket.socket]) -> None:
    ports = []
    for _ in range(MANY):
        first = connect(servers[0])
        ports.append(first.getsockname()[1])
        other = servers[0].accept()[0]
        first.close()
        other.close()
    with program(home, servers[1], ports) as peers:
        assert [caller(peer) for peer in peers] == [OWNER] * MANY


def test_a_port_from_which_somebody_else_is_connected_elsewhere(home: Home, servers: list[socket.socket]) -> None:
    strangers = [connect(servers[0]) for _ in range(MANY)]
    # Nobody has accepted them: their other ends are not held by who asks.
    with program(home, servers[1], [stranger.getsockname()[1] for stranger in strangers]) as peers:
        assert [caller(peer) for peer in peers] == [OWNER] * MANY
    for stranger in strangers:
        stranger.close()


def test_the_kernels_table_says_the_same_where_there_are_no_diagnostics(servers: list[socket.socket]) -> None:
    with closing(connect(servers[0])) as first, closing(connect(servers[0])) as second:
        port = first.getsockname()[1]
        listed = {pair for pair in callers._listed() if port in (pair[0][1], pair[1][1]) and pair[2]}
        diagnosed = {pair for pair in callers._sockets(port) if pair[2]}
        assert diagnosed == listed
        assert (first.getsockname(), servers[0].getsockname(), os.fstat(first.fileno()).st_ino) in diagnosed
        assert port != second.getsockname()[1]


def test_it_is_told_in_a_moment(home: Home, servers: list[socket.socket]) -> None:
    """A client waits meanwhile, and there may be thousands of sockets that have been closed."""
    for _ in range(2000):
        with closing(connect(servers[0])):
            servers[0].accept()[0].close()
    with program(home, servers[1], [0]) as (peer,):
        assert caller(peer) == OWNER
        before = time.thread_time()
        for _ in range(10):
            assert caller(peer) == OWNER
        assert time.thread_time() - before < 0.1
