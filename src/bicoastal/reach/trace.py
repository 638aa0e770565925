"""Collects what a packet meets on its way; the functions of the other modules write into it."""

from __future__ import annotations

from bicoastal.reach.verdict import Barrier, Obstacle, Verdict


class Trace:
    """Of one connection."""

    def __init__(self) -> None:
        self._obstacles: list[Obstacle] = []
        self._passes: list[str] = []

    def stop(self, barrier: Barrier, resource: str, text: str) -> None:
        """Something stops it; said once, though both directions may meet it."""
        obstacle = Obstacle(barrier, resource, text)
        if obstacle not in self._obstacles:
            self._obstacles.append(obstacle)

    def passed(self, *ids: str) -> None:
        """It gets past these."""
        self._passes += ids

    def verdict(self) -> Verdict:
        """What became of it."""
        return Verdict(tuple(self._obstacles), tuple(dict.fromkeys(self._passes)))
