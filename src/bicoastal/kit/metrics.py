"""Sends figures to the CloudWatch agent on this instance, as StatsD datagrams. What is not known is not sent."""

from __future__ import annotations

import socket
from collections.abc import Mapping


class Publisher:
    """Fire and forget: an agent that is not there must not disturb the watch."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._door.setblocking(False)

    def gauges(self, values: Mapping[str, float | None]) -> None:
        """Send the gauges that are known."""
        for name, value in values.items():
            if value is not None:
                # A leading sign would make StatsD add to the gauge instead of setting it.
                # No exponent either: not every listener reads one.
                self._send(f"{name}:{max(value, 0):.3f}|g")

    def count(self, name: str, times: int = 1) -> None:
        """Add to a counter."""
        self._send(f"{name}:{times}|c")

    def close(self) -> None:
        """Let the socket go."""
        self._door.close()

    def _send(self, datagram: str) -> None:
        try:
            self._door.sendto(datagram.encode("ascii"), self._target)
        except OSError:
            return
