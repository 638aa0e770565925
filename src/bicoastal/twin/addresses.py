"""Where everything of a twin listens: one address of the loopback network for each thing that has one on AWS.

Linux answers on all of 127.0.0.0/8, and nobody needs to be root for it. A twin claims one 127.N.0.0/16 and keeps N, so
that an endpoint is the same after a restart; another twin beside it has another N. Names of things are given by who
owns them (`database/us-east-1/orders-db-g1`), and whoever knows the name finds the address.

    127.N.0.2          the resolver, as in a VPC
    127.N.0.9          held while the twin lives
    127.N.1.0 - 199.x  things
    127.N.200.0/24 ... the users of a region, one network each: where a user is, is told by the source address
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import json
import socket
import threading
import zlib
from collections.abc import Iterator

from bicoastal.core.errors import SystemFault
from bicoastal.twin.home import Home

DNS = 53
FIRST, LAST = 16, 126
_CLAIM_PORT = 41009
_PER_NETWORK = 250
_FIRST_COAST = 200
_PRIVILEGED = 1024
_MOVED_BY = 10_000


def reachable_port(port: int) -> int:
    """Where a port of AWS is on the twin: those below 1024, which only root may take, are 10,000 higher."""
    return port + _MOVED_BY if port < _PRIVILEGED else port


class Addresses:
    """All of a twin's addresses; safe for threads. A context manager that holds the claim."""

    def __init__(self, home: Home) -> None:
        """Nothing is claimed before `claim`."""
        self._path = home.root / "addresses.json"
        self._lock = threading.Lock()
        self._claim: socket.socket | None = None
        self._network = 0
        self._known: dict[str, str] = {}
        self._coasts: list[str] = []

    def claim(self) -> None:
        """Take the network that this twin had before, or one that is free.

        Raises SystemFault when the former is held by another twin, or none is free.
        """
        if self._path.exists():
            kept = json.loads(self._path.read_text())
            self._network, self._known, self._coasts = kept["network"], kept["known"], kept["coasts"]
            if not self._take(self._network):
                raise SystemFault(
                    f"127.{self._network}.0.0/16: another program holds this twin's addresses (.0.9:{_CLAIM_PORT}).\n"
                    "    -> End the other twin (`bicoastal down --home FOLDER`), or remove this one's folder."
                )
            return
        for number in self._candidates():
            if self._take(number):
                self._network = number
                self._write()
                return
        raise SystemFault(
            f"no network of 127.{FIRST}.0.0 to 127.{LAST}.0.0 is free.\n    -> End twins that you no longer need."
        )

    def release(self) -> None:
        """Let the network go; what has which address is kept."""
        if self._claim is not None:
            self._claim.close()
            self._claim = None

    def __enter__(self) -> Addresses:
        """Claim."""
        self.claim()
        return self

    def __exit__(self, *_: object) -> None:
        """Release."""
        self.release()

    @property
    def resolver(self) -> str:
        """Of the DNS server."""
        return f"127.{self._network}.0.2"

    def of(self, name: str) -> str:
        """The address of a thing; it has one from now on."""
        with self._lock:
            if name not in self._known:
                self._known[name] = self._free_one()
                self._write()
            return self._known[name]

    def find(self, name: str) -> str | None:
        """The same for one that may have none."""
        with self._lock:
            return self._known.get(name)

    def name_of(self, address: str) -> str | None:
        """Whose address it is."""
        with self._lock:
            return next((name for name, known in self._known.items() if known == address), None)

    def forget(self, name: str) -> None:
        """The thing is gone: another may have its address."""
        with self._lock:
            if self._known.pop(name, None) is not None:
                self._write()

    def users(self, region: str) -> ipaddress.IPv4Network:
        """Where the users are that are nearest to a region."""
        with self._lock:
            if region not in self._coasts:
                self._coasts.append(region)
                self._write()
            return ipaddress.IPv4Network(f"127.{self._network}.{_FIRST_COAST + self._coasts.index(region)}.0/24")

    def coast_of(self, address: str) -> str | None:
        """The region to which a user of this address is nearest; None for one who is nowhere."""
        with contextlib.suppress(ValueError):
            at = ipaddress.ip_address(address)
            for region in list(self._coasts):
                if at in self.users(region):
                    return region
        return None

    def _free_one(self) -> str:
        taken = set(self._known.values())
        for index in range((_FIRST_COAST - 1) * _PER_NETWORK):
            address = f"127.{self._network}.{1 + index // _PER_NETWORK}.{1 + index % _PER_NETWORK}"
            if address not in taken:
                return address
        raise SystemFault(f"all addresses of 127.{self._network}.0.0/16 are taken.\n    -> Start a new twin.")

    def _candidates(self) -> Iterator[int]:
        """All of them, from one that differs by folder: a twin that rests should find its own network free again."""
        count = LAST - FIRST + 1
        start = zlib.crc32(str(self._path).encode())
        return (FIRST + (start + step) % count for step in range(count))

    def _take(self, number: int) -> bool:
        door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            door.bind((f"127.{number}.0.9", _CLAIM_PORT))
            door.listen(1)
        except OSError as error:
            door.close()
            if error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
                return False
            raise
        self._claim = door
        return True

    def _write(self) -> None:
        partial = self._path.with_suffix(".part")
        kept = {"network": self._network, "known": self._known, "coasts": self._coasts}
        partial.write_text(json.dumps(kept, indent=1))
        partial.replace(self._path)


def resolver_name(region: str) -> str:
    """Of a region's VPC resolver, which its instances ask: name of its address, as in `addresses.of`."""
    return f"resolver/{region}"
