"""One factor that divides every interval, timer and duration of a twin, so that an hour's behavior fits in minutes.

Times in templates and on the command line are AWS's; whoever waits for one asks here how long that is now. What is
measured is never multiplied back: a report names its pace (design, section 6).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How much faster than AWS's the twin's clocks run."""

    name: str
    factor: float

    def seconds(self, template_s: float) -> float:
        """How long a time from a template lasts here."""
        return template_s / self.factor

    def ttl(self, template_s: float) -> int:
        """A TTL in whole seconds, as DNS has them; only one that is 0 becomes 0."""
        return math.ceil(template_s / self.factor)

    @classmethod
    def named(cls, name: str) -> Pace:
        """The pace of that name. Raises ValueError that lists them."""
        for pace in (REAL, FAST):
            if pace.name == name:
                return pace
        raise ValueError(f"{name!r} is no pace: give {REAL.name} or {FAST.name}")


REAL = Pace("real", 1)
FAST = Pace("fast", 10)
"""A health check of 3 x 10 s takes 3 s, a TTL of 60 s takes 6. At 20 a primary that is to fence itself after 15 s of
isolation would have 0.75 s, and a busy machine of two cores lets a program wait as long."""
