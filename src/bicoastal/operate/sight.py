"""What an operation has seen, as frozen data: `decide` takes nothing else. What could not be seen is None, never 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bicoastal.stacks.view import StackView

SWITCH_OFF = "off"
BACKING_UP = "backing-up"
"""What RDS says of a DB instance whose backup or snapshot is being made."""


class Gate(StrEnum):
    """Where a balancer sends what no rule takes."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Kit:
    """What the kit of one instance knows of its region's database. Ages in seconds."""

    instance: str
    role: str
    """`primary`, `replica` or `unreachable`."""
    epoch: int | None
    fence: str | None
    """The reason of a fence; None where there is none."""
    fenced: bool
    """No session from before the fence is left."""
    heartbeat_age_s: float | None
    reading: int | None
    """Sessions of applications that read."""
    receiver: str | None
    """Of a replica: `streaming`, `stopped`, ..."""
    last_contact_s: float | None
    received_lsn: str | None
    replayed_lsn: str | None
    unreplayed_bytes: float | None
    witness_epoch: int | None
    isolation_s: float
    """After how long a primary that sees neither witness nor replica fences itself."""
    second_s: float
    """How long the kit's second lasts: 1, less in a rehearsal at a faster pace."""
    fence_epoch: int | None = None
    written_lsn: str | None = None
    """Of a primary: how far its WAL is on its disk."""
    snapshot: str | None = None
    """What its transactions are: PostgreSQL's `pg_current_snapshot()`."""
    follower: bool | None = None
    """Of a primary: a replica in the other region streams from it."""
    stranded: bool | None = None
    """Of a primary: WAL that the other region's replica never fetched is gone (`max_slot_wal_keep_size`). RDS has no
    other copy of it across regions: the replica cannot follow again."""
    at: float = 0.0
    """When it was asked, in seconds since the epoch."""

    @property
    def beat_at(self) -> float | None:
        """When the heartbeat that it knows was written, by this machine's clock at worst a moment too late."""
        return None if self.heartbeat_age_s is None else self.at - self.heartbeat_age_s


@dataclass(frozen=True)
class Instance:
    """A DB instance as RDS describes it."""

    identifier: str
    arn: str
    status: str
    source: str
    """What it follows; empty for one that stands alone."""
    host: str
    zone: str
    multi_az: bool
    backup_window: str
    """Daily, UTC: `08:00-08:30`."""
    kept_at: datetime | None = None
    """While it is being backed up: when that should be done, by what RDS says of its progress; None: it does not."""


@dataclass(frozen=True)
class Fleet:
    """An Auto Scaling group."""

    name: str
    least: int
    desired: int
    most: int
    in_service: tuple[str, ...]
    """Ids of instances."""


@dataclass(frozen=True)
class Side:
    """One region."""

    region: str
    answered: bool
    """Its API answered."""
    why: str = ""
    """Why not."""
    stacks: Mapping[str, StackView] = field(default_factory=dict)
    """By kind."""
    resources: Mapping[str, str] = field(default_factory=dict)
    """Physical ids of the service stack's resources, by logical id."""
    instance: Instance | None = None
    switch: str = ""
    """What the balancer answers at the switch's path: `off`, `on:2;`; empty where unknown."""
    gate: Gate = Gate.UNKNOWN
    fleet: Fleet | None = None
    kit: Kit | None = None
    kit_unknown: str = ""
    """Why the kit could not be asked."""

    def parameter(self, kind: str, name: str) -> str:
        """A stack's parameter; empty where it is not known."""
        stack = self.stacks.get(kind)
        return stack.parameters.get(name, "") if stack is not None else ""

    def output(self, kind: str, name: str) -> str:
        """A stack's output; empty where it is not known."""
        stack = self.stacks.get(kind)
        return stack.outputs.get(name, "") if stack is not None else ""

    @property
    def role(self) -> str:
        """`primary` or `replica`, as the database's stack records it."""
        return self.parameter("database", "DatabaseRole")

    @property
    def alone(self) -> bool:
        """The instance follows nobody: it was promoted, or born new."""
        return self.instance is not None and not self.instance.source

    @property
    def switch_epoch(self) -> int | None:
        """The epoch that the switch announces; None while it is off."""
        number = self.switch.removeprefix("on:").removesuffix(";")
        return int(number) if self.switch.startswith("on:") and number.isdecimal() else None


@dataclass(frozen=True)
class Observation:
    """Both regions at one moment."""

    here: Side
    """The region that the operation acts in: the survivor of a failover."""
    there: Side
    """The other one, as far as it answered in time."""
    at: float
    """Seconds since the epoch."""
