"""kill -9 on the control plane: nothing of an operation runs any more, not even what it would clean up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bicoastal.operate.journal import Journal
from bicoastal.operate.transitions import Step


class Killed(BaseException):
    """kill -9: nothing catches it."""


@dataclass
class Executioner(Journal):
    """A journal that is the last thing that an operation writes: each time at another point."""

    met: set[tuple[str, Step]] = field(default_factory=set)

    def write(self, what: str, **details: Any) -> None:
        """Before a step's call, and between the call and the line that says so."""
        point = what, details.get("step", Step.DONE)
        if what in ("begins", "done") and point not in self.met and point[1] is not Step.DONE:
            self.met.add(point)
            raise Killed
        super().write(what, **details)
