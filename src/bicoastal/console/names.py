"""Where a twin's DNS leads its users: asked as they ask, from addresses near each coast."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from dnslib import QTYPE, DNSError, DNSRecord

_TIMES = 4
"""A quarter of a coast's users may be sent elsewhere: as many answers as there are quarters."""
_ANSWER_S = 0.5


@dataclass
class Names:
    """The resolver of a twin, and who asks it."""

    domain: str
    resolver: tuple[str, int]
    users: Mapping[str, str]
    """Region to an address of its users."""
    _regions: dict[str, str] = field(default_factory=dict)
    """Addresses of balancers that were seen, to their regions: they stay while a region is silent."""

    def __call__(self, balancers: Mapping[str, str]) -> Mapping[str, Mapping[str, int]]:
        """How many answers lead users of a coast to which region; none at all where nobody answers."""
        found: dict[str, Mapping[str, int]] = {}
        for coast, address in self.users.items():
            for region, name in balancers.items():
                if region not in self._regions.values():
                    for at in self._ask(address, name):
                        self._regions[at] = region
            led = [self._regions.get(at, "") for _ in range(_TIMES) for at in self._ask(address, self.domain)[:1]]
            answers = Counter(region for region in led if region)
            found[coast] = dict(answers)
        return found

    def _ask(self, source: str, name: str) -> list[str]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
            door.settimeout(_ANSWER_S)
            try:
                door.bind((source, 0))
                door.sendto(DNSRecord.question(name, "A").pack(), self.resolver)
                answer = DNSRecord.parse(door.recv(4096))
            except (OSError, DNSError):
                return []
        return [str(record.rdata) for record in answer.rr if record.rtype == QTYPE.A]
