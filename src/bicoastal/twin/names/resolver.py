"""Asks the twin's DNS as a user of a coast does, over real UDP, and by TCP where an answer was cut off."""

from __future__ import annotations

import secrets
import socket
import time
from dataclasses import dataclass
from typing import NamedTuple

from bicoastal.core.errors import SystemFault
from bicoastal.twin.addresses import Addresses
from bicoastal.twin.names import packets
from bicoastal.twin.names.packets import Subnet, Told
from bicoastal.twin.names.server import PORT

_TRY_S = 1.0


class Resolved(NamedTuple):
    """What a name leads to."""

    addresses: tuple[str, ...]
    """IPv4; empty where the name has none."""
    ttl: int
    """Whole seconds of the twin for which the answer may be kept; 0 where there is nothing to keep."""


@dataclass(frozen=True)
class Resolver:
    """Where to ask, and as whom."""

    server: str
    source: str = ""
    """The address to ask from; empty: any."""
    port: int = PORT

    @classmethod
    def of(cls, addresses: Addresses, coast: str) -> Resolver:
        """As one of the users that are nearest to a region."""
        return cls(addresses.resolver, user_address(addresses, coast))

    def addresses_of(self, name: str, within_s: float = 5.0) -> Resolved:
        """The IPv4 addresses of a name. Raises SystemFault where nobody answers, or answers that it cannot say."""
        told = self.ask(name, "A", within_s=within_s)
        if told.code not in ("NOERROR", "NXDOMAIN"):
            raise SystemFault(f"{name}: the twin's DNS answers {told.code}.\n    -> Is its zone deployed?")
        found = [line for line in told.lines if line.type == "A"]
        return Resolved(tuple(line.value for line in found), min((line.ttl for line in told.lines), default=0))

    def ask(self, name: str, kind: str, subnet: Subnet | None = None, within_s: float = 5.0) -> Told:
        """What is answered, whatever it is. Raises SystemFault where nothing is."""
        query = packets.write_question(name, kind, subnet)
        end = time.monotonic() + within_s
        try:
            told = self._by_udp(query, end)
            return self.by_tcp(query, end - time.monotonic()) if told.truncated else told
        except OSError as error:
            raise SystemFault(
                f"{name}: nobody answers at {self.server}:{self.port}: {error}.\n    -> Does the twin run?"
            ) from error

    def by_tcp(self, query: bytes, within_s: float = 5.0) -> Told:
        """The same by TCP. Raises OSError."""
        source = (self.source, 0) if self.source else None
        with socket.create_connection((self.server, self.port), max(within_s, 0.01), source) as door:
            door.sendall(len(query).to_bytes(2, "big") + query)
            with door.makefile("rb") as stream:
                packet = stream.read(int.from_bytes(stream.read(2), "big"))
        told = packets.read_answer(packet, query)
        if told is None:
            raise OSError("the answer is to another question")
        return told

    def _by_udp(self, query: bytes, end: float) -> Told:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
            if self.source:
                door.bind((self.source, 0))
            door.connect((self.server, self.port))
            while (left := end - time.monotonic()) > 0:
                door.send(query)
                door.settimeout(min(left, _TRY_S))
                try:
                    told = packets.read_answer(door.recv(packets.LARGEST_BYTES), query)
                except TimeoutError:
                    continue
                if told is not None:
                    return told
        raise TimeoutError("no answer in time")


def resolve(addresses: Addresses, name: str, coast: str, within_s: float = 5.0) -> Resolved:
    """Addresses and TTL that a user nearest to a region is told. Raises SystemFault."""
    return Resolver.of(addresses, coast).addresses_of(name, within_s)


def user_address(addresses: Addresses, coast: str) -> str:
    """The address of one of the users there."""
    network = addresses.users(coast)
    return str(network[1 + secrets.randbelow(network.num_addresses - 2)])
