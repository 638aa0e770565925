"""What the twin's rooms know of one another: small protocols, so that each can be built and tested alone.

Controllers read the AWS API; what no API says (whose socket it is, how much CPU a process took, whether a packet would
arrive) they are given through these. A room imports this module and not another room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from bicoastal.aws.session import Session

INTERNET = "internet"
"""Where users and health checkers are, and where AWS's own endpoints are for who has no VPC endpoint."""

How = Literal["refuse", "black-hole"]
"""How something is lost: its hosts say no at once, or nothing comes from them any more."""


def instance_name(region: str, id_: str) -> str:
    """Of an EC2 instance: owner of its programs, and name of its address."""
    return f"instance/{region}/{id_}"


def database_name(region: str, identifier: str) -> str:
    """Of a DB instance's endpoint."""
    return f"database/{region}/{identifier}"


def balancer_name(region: str, arn: str) -> str:
    """Of an Application Load Balancer: its ARN ends in `NAME/ID`, which tells it from an earlier one of that name."""
    return f"balancer/{region}/{arn.partition('loadbalancer/app/')[2]}"


@dataclass(frozen=True)
class Verdict:
    """Whether a connection may exist, and what decides it: `security group sg-1 has no rule for tcp/8080 from ...`."""

    allowed: bool
    why: str


Admits = Callable[[str, str, int], Verdict]
"""Source and destination (names as above, `internet`, or `service/REGION/s3`) and the destination's port, as AWS has
it, to whether the API's state lets a connection be."""


def admits_everything(source: str, destination: str, port: int) -> Verdict:
    """For rooms that are tested without a network."""
    del source, destination, port
    return Verdict(True, "nothing is evaluated")


@dataclass(frozen=True)
class Measurement:
    """One data point for CloudWatch, of the period that has just ended."""

    region: str
    namespace: str
    name: str
    dimensions: Mapping[str, str]
    unit: str
    value: float | None = None
    """A single value; or the statistic set below of many."""
    count: float = 0.0
    total: float = 0.0
    least: float = 0.0
    most: float = 0.0
    values: Mapping[float, float] = field(default_factory=dict)
    """Or each value, and how often it was seen (150 different ones at most): percentiles need it."""
    tags: Mapping[str, str] = field(default_factory=dict)


class Measured(Protocol):
    """A room that has something to measure."""

    def measurements(self) -> Iterable[Measurement]:
        """What has happened since the last time; asked once each CloudWatch minute (60 s by the twin's pace)."""


@dataclass(frozen=True)
class Faltering:
    """How a region's load balancers answer while they are there, but badly. Seconds are real ones."""

    slow_s: float = 0.0
    """How much later answers come."""
    slow_percent: int = 100
    """Of all requests, those of health checkers too."""
    fail_percent: int = 0
    """Of all requests: they are answered 503."""


class Losable(Protocol):
    """A room whose hosts can be taken away, region by region."""

    def lose(self, region: str, how: How) -> None:
        """The region's hosts are gone, at once, and nothing of it is healed. Their disks stay."""

    def recover(self, region: str) -> None:
        """They are there again, as machines after a power cut."""


@dataclass(frozen=True)
class Usage:
    """What an instance's processes have taken."""

    cpu_s: float
    """Seconds of CPU since its start."""
    memory_bytes: int
    """Now."""


@dataclass(frozen=True)
class Said:
    """How a shell script on an instance ended."""

    code: int
    output: str
    errors: str


class Host(Protocol):
    """A running instance, as the CloudWatch agent and Systems Manager's agent on it see it."""

    id: str
    region: str
    zone: str
    root: Path
    """What is `/` to it."""
    address: str
    """Its private address, as the twin has it."""
    vcpus: float
    """Cores' worth of CPU that count as 100 %."""
    memory_bytes: int
    """What counts as 100 %."""

    def tag(self, name: str) -> str | None:
        """A tag of the instance."""

    def session(self) -> Session:
        """The AWS API with the rights of its instance profile. Raises SystemFault where it has none."""

    def usage(self) -> Usage:
        """What it takes."""

    def shell(self, script: str, within_s: float, environment: Mapping[str, str] | None = None) -> Said:
        """Run a script as its superuser would (here: as the account that servers run as). Raises SystemFault."""


class Agent(Protocol):
    """The CloudWatch agent of one instance."""

    def start(self) -> None:
        """Listen for StatsD, tail files, publish."""

    def stop(self) -> None:
        """End, shipping what was collected."""


StartAgent = Callable[[Host, Path], Agent]
"""Makes the agent of an instance from its configuration file (a path inside the instance's root)."""
FindHost = Callable[[str, str], Host | None]
"""Region and id to the running instance."""
AlarmState = Callable[[str, Mapping[str, object]], Literal["OK", "ALARM", "INSUFFICIENT_DATA"]]
"""Region and an alarm's record to what its metric says now, whatever its state was set to: Route 53 reads it so."""
