"""What a team writes in `bicoastal.yaml`. Everything with a default may be left out; a spec of 10-20 lines is complete.

This page holds the fields, their defaults and units. What is wrong across fields (overlapping networks, a backup in
a forbidden hour) is judged in `spec.checks`; reading, positions and messages are in `spec.load`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints, model_validator


class Role(StrEnum):
    """What a region is for while nothing is lost."""

    HOME = "home"
    STANDBY = "standby"


class Routing(StrEnum):
    """How the public name chooses a region."""

    NEAREST = "nearest"
    """Users go to the nearer region, and to the other one when theirs is lost or at capacity."""
    FAILOVER = "failover"
    """Everybody goes to the home region until it is lost."""


# Whole numbers and switches are read strictly: `true` is no count, and "yes" in quotes is no switch.
Whole = Annotated[int, Strict()]
Switch = Annotated[bool, Strict()]


class Egress(StrEnum):
    """How instances in private subnets reach AWS's APIs and the internet."""

    NAT_PER_AZ = "nat-per-az"
    ONE_NAT = "one-nat"
    ENDPOINTS_ONLY = "endpoints-only"


class Flow(StrEnum):
    """Traffic that may cross from one region to the other, by private addresses over the peering connection."""

    WRITES = "writes"
    """The standby's application writes to the home region's database. Off means a read-only standby."""


class Model(BaseModel):
    """Frozen, and closed: a key that nobody reads is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]"
_DAY = "(mon|tue|wed|thu|fri|sat|sun)"

NAME = "^[a-z][a-z0-9-]{0,14}[a-z0-9]$"
ENVIRONMENT = "^[a-z][a-z0-9]{1,11}$"
DOMAIN = rf"^({_LABEL}\.)+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])$"
ZONE_ID = "^Z[A-Z0-9]{6,31}$"
EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
TAG = r"^[\w .:/=+\-@]+$"
TIME_OF_DAY = f"^{_TIME}$"
DAILY_WINDOW = f"^{_TIME}-{_TIME}$"
WEEKLY_WINDOW = f"^{_DAY}:{_TIME}-{_DAY}:{_TIME}$"
COMMAND = r"^[^\s\x00-\x1f][^\x00-\x1f]*$"
FOLDER = r"^[^\s/\x00-\x1f][^\x00-\x1f]*$"
HEALTH_PATH = "^/[A-Za-z0-9/_.~-]*$"
PACKAGE = "^[A-Za-z0-9][A-Za-z0-9._+-]*$"
VARIABLE = "^[A-Z_][A-Z0-9_]*$"
VERSION = "^[0-9]{2}([.][0-9]{1,2})?$"
DATABASE_NAME = "^[a-z][a-z0-9_]{0,62}$"
PRINCIPAL = "^arn:aws:iam::[0-9]{12}:(root|user/.+|role/.+)$"

WORDS: Mapping[str, str] = {
    NAME: "2 to 16 lower-case letters, digits and hyphens, beginning with a letter and not ending with a hyphen",
    ENVIRONMENT: "2 to 12 lower-case letters and digits, beginning with a letter, such as `production`",
    DOMAIN: "a domain name in lower case without protocol or path, such as `orders.example.com`",
    ZONE_ID: "the id of a hosted zone, such as `Z0123456789ABCDEFGHIJ`: not its name, and without `/hostedzone/`",
    EMAIL: "an e-mail address, such as `oncall@example.com`",
    TAG: "letters, digits, spaces and _ . : / = + - @",
    TIME_OF_DAY: "a time of day from `00:00` to `23:59`",
    DAILY_WINDOW: "two times of day in UTC, such as `08:00-08:30`",
    WEEKLY_WINDOW: "two weekdays and times in UTC, such as `sun:09:30-sun:10:00`",
    COMMAND: "a command on one line",
    FOLDER: "a folder relative to this file, such as `app`",
    HEALTH_PATH: "a path that begins with `/`, without query, such as `/healthz`",
    PACKAGE: "the name of a package of Amazon Linux 2023, such as `python3.12`",
    VARIABLE: "capital letters, digits and underscores, such as `LOG_LEVEL`",
    VERSION: 'a major version, or one with its minor, in quotes: "17" or "17.6"',
    DATABASE_NAME: "lower-case letters, digits and underscores, beginning with a letter",
    PRINCIPAL: "the ARN of a user, a role or an account, such as `arn:aws:iam::111122223333:role/oncall`",
}
"""What each pattern asks for: the end of the message that a value gets which does not fit, here and in editors."""

Name = Annotated[str, StringConstraints(pattern=NAME)]
Email = Annotated[str, StringConstraints(pattern=EMAIL, max_length=254)]
TagValue = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=TAG)]
TagKey = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=TAG)]
TimeOfDay = Annotated[str, StringConstraints(pattern=TIME_OF_DAY)]
DailyWindow = Annotated[str, StringConstraints(pattern=DAILY_WINDOW)]
WeeklyWindow = Annotated[str, StringConstraints(pattern=WEEKLY_WINDOW)]
Variable = Annotated[str, StringConstraints(pattern=VARIABLE)]
Package = Annotated[str, StringConstraints(pattern=PACKAGE)]
Principal = Annotated[str, StringConstraints(pattern=PRINCIPAL)]
Command = Annotated[str, StringConstraints(pattern=COMMAND)]
Percent = Annotated[Whole, Field(ge=1, le=100)]


class Domain(Model):
    """The public name of the application, and the hosted zone that holds it."""

    name: Annotated[str, StringConstraints(pattern=DOMAIN, max_length=64)]
    """The application's name, such as `orders.example.com`; at most 64 characters, the limit of its certificate."""
    zone_id: Annotated[str, StringConstraints(pattern=ZONE_ID)] | None = None
    """Id of an existing public hosted zone of this name or of a parent. Without it, a zone of this name is created."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class Scaling(Model):
    """When a region's fleet grows: requests above their threshold AND (CPU or memory above theirs).

    It shrinks at half of them.
    """

    requests_per_minute: Annotated[Whole, Field(ge=2)] = 600
    """Requests per instance and minute, the probes of health checkers not counted."""
    cpu_percent: Annotated[Whole, Field(ge=2, le=100)] = 60
    """Average CPU of the fleet, in percent."""
    memory_percent: Percent = 75
    """Average memory in use, in percent. Memory alone never shrinks the fleet: it only vetoes that."""


class AtCapacity(Model):
    """When a region at its maximum of instances sends its users to the other one, a quarter at a time."""

    requests_per_minute: Annotated[Whole, Field(ge=2)] = 1200
    """Requests per instance and minute at which the first quarter moves; the others follow at 10, 20 and 30 % more."""


class BackupWindow(Model):
    """The daily backup that is kept, on weekdays only."""

    start: TimeOfDay = "01:00"
    """Local time at which the backup starts, in `time_zone`."""
    time_zone: str = "UTC"
    """A zone of the IANA database, such as `America/New_York`."""
    keep_days: Annotated[Whole, Field(ge=1, le=3650)] = 35
    """Days until a recovery point expires."""


class Region(Model):
    """One of the two regions."""

    role: Role
    """`home` or `standby`: which region is the primary while nothing is lost."""
    cidr: IPv4Network
    """The VPC's private addresses, /16 to /22, such as `10.10.0.0/16`; must not overlap the other region's."""
    availability_zones: Literal[2, 3] = 3
    """Availability Zones to spread over."""
    scaling: Scaling = Scaling()
    at_capacity: AtCapacity = AtCapacity()
    backup: BackupWindow = BackupWindow()
    database_backup_window: DailyWindow = "08:00-08:30"
    """UTC. RDS's own daily backup, which replication needs; 30 minutes or more, in a quiet time: it bars promotion."""
    maintenance_window: WeeklyWindow = "sun:09:30-sun:10:00"
    """UTC. RDS's weekly maintenance; at least 30 minutes."""


class App(Model):
    """The team's own web application, shipped as a bundle of its folder."""

    folder: Annotated[str, StringConstraints(pattern=FOLDER)] = "app"
    """Folder of the application, relative to the spec; the whole of it is shipped."""
    build: Command | None = None
    """Runs in a copy of the folder, where `bicoastal` runs, before it is bundled: brings the dependencies."""
    command: Command
    """Starts the server, in the folder; it must listen on `$HOST:$PORT`."""
    port: Annotated[Whole, Field(ge=1024, le=65535)] = 8080
    """TCP port that the application listens on."""
    health_path: Annotated[str, StringConstraints(pattern=HEALTH_PATH, max_length=128)] = "/healthz"
    """Answers 200 while this server can serve, whatever the database does: a health check that asks the database takes
    every server down with it. At most 128 characters, the limit of a load balancer's rule."""
    packages: Annotated[tuple[Package, ...], Field(max_length=100)] = ()
    """Packages of the operating system (Amazon Linux 2023) to install."""
    environment: Annotated[Mapping[Variable, str], Field(max_length=100)] = Field(default_factory=dict)
    """Environment variables, in both regions. No secrets here: their values stand in the templates."""
    secrets: Annotated[tuple[Variable, ...], Field(max_length=100)] = ()
    """Environment variables whose values are secrets: created empty and filled in by the team, in both regions."""
    release_command: Command | None = None
    """Runs once for each version before its servers start, as the database's owner: migrations."""
    watch_minutes: Annotated[Whole, Field(ge=0, le=180)] = 15
    """Minutes that each region watches a new version after its servers serve; one that fails meanwhile is taken back
    by itself. 0: accepted as soon as it is well."""


class Instances(Model):
    """The fleet of each region."""

    type: str = "t3.micro"
    """EC2 instance type."""
    min: Annotated[Whole, Field(ge=2, le=100)] = 2
    """Instances in each region at least; two, so that one may fail."""
    max: Annotated[Whole, Field(ge=2, le=100)] = 6
    """Instances in each region at most."""


class Database(Model):
    """PostgreSQL: Multi-AZ in the home region, a promotable Multi-AZ read replica in the standby."""

    engine_version: Annotated[str, StringConstraints(pattern=VERSION)] = "17"
    """PostgreSQL's version; with a major version alone, RDS chooses the minor one."""
    instance_class: str = "db.t4g.medium"
    """RDS instance class, of both regions."""
    storage_gib: Annotated[Whole, Field(ge=20, le=65536)] = 50
    """Storage to begin with, in GiB."""
    max_storage_gib: Annotated[Whole, Field(ge=22, le=65536)] = 200
    """Storage grows by itself up to this, in GiB."""
    automated_backup_days: Annotated[Whole, Field(ge=1, le=35)] = 1
    """Days that RDS keeps its own daily backups: the shortest that replication and point-in-time recovery need."""
    read_replicas: Annotated[Whole, Field(ge=0, le=4)] = 0
    """More read replicas inside each region, beside the cross-region one."""
    name: Annotated[str, StringConstraints(pattern=DATABASE_NAME)] = "app"
    """Name of the database on the server."""


class Residency(Model):
    """Where data may live. The home region always holds it."""

    copies: Annotated[tuple[str, ...], Field(max_length=10)] | None = None
    """Regions that hold copies (replica, backups, secrets); by default the standby."""
    flows: Annotated[tuple[Flow, ...], Field(max_length=10)] = (Flow.WRITES,)
    """Traffic between the regions that is allowed."""


class Logs(Model):
    """CloudWatch Logs stay in their own region."""

    retention_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731] = 30
    """Days that every log group keeps its events; more than 30 only with `aggregate`."""
    aggregate: Switch = False
    """Copy the logs of both regions to a bucket in the home region."""


class Emergency(Model):
    """Who may open a shell on an instance in an emergency, and for how long."""

    responders: Annotated[tuple[Principal, ...], Field(max_length=20)] = ()
    """Principals that may assume the responder role, with MFA. None: nobody of another account, and in this account
    whoever IAM allows to assume it."""
    max_minutes: Annotated[Whole, Field(ge=5, le=720)] = 60
    """Minutes after which access ends by itself, at most."""


class Promise(Model):
    """What the team promises its users; `budget` compares it with what the templates give."""

    rto_minutes: Annotated[Whole, Field(ge=1)] = 30
    """Minutes until writes are possible again after the home region is lost."""
    rpo_seconds: Annotated[Whole, Field(ge=1)] = 60
    """Seconds of acknowledged writes that may be lost with the home region."""


class FailOn(StrEnum):
    """What makes a review say no."""

    ROW = "row"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    NOTHING = "nothing"


class Review(Model):
    """What `bicoastal review` does here when the command line does not say otherwise."""

    fail_on: Annotated[tuple[FailOn, ...], Field(max_length=5)] = (FailOn.ROW, FailOn.ERROR)
    """What ends with 1: a row that is not delivered, or a finding of this severity or a worse one."""
    baseline: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    """File of what is known and not counted, relative to this one; `--write-baseline` writes it."""
    schema_pass: bool | None = None
    """AWS's schema pass; without a word, where `cloudformation-validate` is installed."""


def _default_regions() -> dict[str, Region]:
    return {
        "us-east-1": Region(
            role=Role.HOME, cidr=IPv4Network("10.10.0.0/16"), backup=BackupWindow(time_zone="America/New_York")
        ),
        "us-west-2": Region(
            role=Role.STANDBY,
            cidr=IPv4Network("10.20.0.0/16"),
            backup=BackupWindow(time_zone="America/Los_Angeles", start="21:00"),
            database_backup_window="10:00-10:30",
            maintenance_window="sun:11:30-sun:12:00",
        ),
    }


class Spec(Model):
    """A web application in two regions."""

    name: Name
    """Lower-case letters, digits and hyphens, 2 to 16; begins the name of everything that is created."""
    environment: Annotated[str, StringConstraints(pattern=ENVIRONMENT)] = "production"
    """What this deployment is for; part of every name, and a tag."""
    cost_center: TagValue
    """Who pays: the tag `cost-center` of everything."""
    domain: Domain
    """The public name, alone (`domain: orders.example.com`) or with the id of an existing hosted zone."""
    app: App
    """The web application."""
    regions: Mapping[str, Region] = Field(default_factory=_default_regions)
    """Two regions, one `home` and one `standby`."""
    instances: Instances = Instances()
    database: Database = Database()
    routing: Routing = Routing.NEAREST
    """`nearest`: users go to the nearer region. `failover`: to the home region until it is lost."""
    residency: Residency = Residency()
    logs: Logs = Logs()
    egress: Egress = Egress.NAT_PER_AZ
    """How private subnets reach the internet and AWS's APIs: `nat-per-az`, `one-nat` or `endpoints-only`."""
    emergency: Emergency = Emergency()
    alerts: Annotated[tuple[Email, ...], Field(max_length=20)] = ()
    """Addresses that alarms are sent to, in both regions."""
    tags: Mapping[TagKey, TagValue] = Field(default_factory=dict)
    """More tags for everything, beside `cost-center`, `environment`, `application` and `managed-by`."""
    failover_tags: Mapping[TagKey, TagValue] = Field(default_factory=dict)
    """Tags that replace or join the others in the surviving region from a failover until `rejoin`."""
    promise: Promise = Promise()
    review: Review = Review()

    @property
    def prefix(self) -> str:
        """Begins the names of resources and stacks: `orders-production`."""
        return f"{self.name}-{self.environment}"

    @property
    def home(self) -> str:
        """The home region's name."""
        return self._region_of(Role.HOME)

    @property
    def standby(self) -> str:
        """The standby region's name."""
        return self._region_of(Role.STANDBY)

    @property
    def copies(self) -> tuple[str, ...]:
        """Regions that may hold copies of the data."""
        return (self.standby,) if self.residency.copies is None else self.residency.copies

    def _region_of(self, role: Role) -> str:
        return next(name for name, region in self.regions.items() if region.role is role)
