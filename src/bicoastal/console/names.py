"""Where a twin's DNS leads its users: asked as they ask, from addresses near each coast."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from dnslib import QTYPE, DNSError, DNSRecord

_TIMES = 4
"""A quarter of a coast's users may be sent elsewhere: as many answers as there are quarters."""
_ANSWER_S = 1.0


@dataclass
class Names:
    """The resolver of a twin, and who asks it."""

    domain: str
    resolver: tuple[str, int]
    users: Mapping[str, str]
    """Region to an address of its users."""
    _regions: dict[str, str] = field(default_factory=dict)
    """Addresses of balancers that were seen, to their regions: they stay while a region is silent."""

    def __call__(self, balancers: Mapping[str, str]) -> Mapping[str, Mapping[str, int] | None]:
        """How many answers lead users of a coast to which region; None where nobody has answered."""
        return {coast: self._of(address, balancers) for coast, address in self.users.items()}

    def _of(self, address: str, balancers: Mapping[str, str]) -> Mapping[str, int] | None:
        for region, name in balancers.items():
            if region not in self._regions.values():
                self._regions |= dict.fromkeys(self._ask(address, name) or (), region)
        led: list[str] = []
        for _ in range(_TIMES):
            found = self._ask(address, self.domain)
            if found is None:
                # One that does not answer now is not asked three times more.
                return dict(Counter(led)) if led else None
            led += [self._regions[at] for at in found[:1] if at in self._regions]
        return dict(Counter(led))

    def _ask(self, source: str, name: str) -> list[str] | None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
            door.settimeout(_ANSWER_S)
            try:
                door.bind((source, 0))
                door.sendto(DNSRecord.question(name, "A").pack(), self.resolver)
                answer = DNSRecord.parse(door.recv(4096))
            except (OSError, DNSError):
                return None
        return [str(record.rdata) for record in answer.rr if record.rtype == QTYPE.A]
