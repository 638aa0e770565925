"""Which deployment is operated: the names that all else is found by. No templates: what stands is what counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Subject:
    """One deployment, as its spec names it."""

    application: str
    environment: str
    domain: str
    home: str
    standby: str
    routing: str
    """`nearest` or `failover`."""
    rpo_s: float
    """Seconds of acknowledged writes that the team promised to lose at most."""
    failover_tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """Begins every name: `orders-production`."""
        return f"{self.application}-{self.environment}"

    @property
    def regions(self) -> tuple[str, str]:
        """Home first."""
        return (self.home, self.standby)

    def other(self, region: str) -> str:
        """The region on the other coast."""
        return self.standby if region == self.home else self.home

    def stack(self, kind: str) -> str:
        """The name of a stack, the same in either region."""
        return f"{self.prefix}-{kind}"

    def document(self, name: str) -> str:
        """The name of a Systems Manager document."""
        return f"{self.prefix}-{name}"
