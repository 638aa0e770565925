"""Where a drill plays: a deployment on a twin of its own, in this process, deployed by the AWS API like anybody's.

The folder goes with it. What runs elsewhere on this machine, another twin too, is not touched and not asked.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from bicoastal.aws.calls import CallLog
from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.errors import BicoastalError, SystemFault
from bicoastal.deploy.deployment import Wishes, deploy
from bicoastal.deploy.moments import Tell
from bicoastal.deploy.package import Package
from bicoastal.twin.cloud.administrator import administrator, make_administrator
from bicoastal.twin.cloud.process import ask
from bicoastal.twin.memory import give_back
from bicoastal.twin.pace import Pace
from bicoastal.twin.twin import Twin

_IDS = "SELECT id::text FROM orders"
Pack = Callable[[bytes], Package]
"""What is to be deployed, made with the certificates that sign the twin's databases."""


@dataclass(frozen=True)
class Script:
    """What is played: one deployment, as its spec names it."""

    spec: Path
    name: str
    """Begins the stacks' names: `orders-production`."""
    domain: str
    home: str
    standby: str
    database: str
    """Its name within PostgreSQL."""
    pack: Pack
    bundled_for: Mapping[str, str] = field(default_factory=dict)
    """Environment that has the operator's commands bundle the application as it is deployed."""


class Stage:
    """A context manager: both regions, deployed."""

    def __init__(
        self,
        script: Script,
        pace: Pace,
        tell: Tell,
        up: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`up` is told after how many seconds both regions are."""
        self._up = up
        self._plays = 0
        self.script = script
        self.pace = pace
        self._tell = tell
        self.folder = Path(tempfile.mkdtemp(prefix="bicoastal-drill-"))
        # Servers run as an unprivileged account, which must get in.
        self.folder.chmod(0o755)
        self.twin = Twin(self.folder / "home", (script.home, script.standby), pace)
        self.package: Package | None = None
        self.up_s = 0.0
        self._databases: dict[str, str] = {}
        self._fleets: dict[str, int] = {}
        self._ends = ExitStack()

    def __enter__(self) -> Stage:
        """Start and deploy. Raises BicoastalError, with everything ended and removed, where that fails."""
        with ExitStack() as ends:
            ends.callback(shutil.rmtree, self.folder, ignore_errors=True)
            begun = time.monotonic()
            self.twin.start()
            ends.callback(self.twin.stop)
            make_administrator(self.twin.endpoint, self.twin.ground.home.cloud)
            self._deploy()
            give_back()
            self.up_s = time.monotonic() - begun
            self._up(self.up_s)
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all of it."""
        self._ends.close()

    def begin_play(self) -> int:
        """One more experiment begins here; returns its number. Raises SystemFault."""
        self._plays += 1
        self._databases = {region: self.database_of(region) for region in self._regions}
        self._fleets = {region: self._fleet(region)["DesiredCapacity"] for region in self._regions}
        return self._plays

    def delete_former_databases(self) -> None:
        """All instances but those that the stacks have now. Raises SystemFault."""
        for region in self._regions:
            client = self.session.client("rds", region)
            for identifier in self._former(region):
                with aws_faults(f"deleting {identifier} in {region}"):
                    client.modify_db_instance(
                        DBInstanceIdentifier=identifier, DeletionProtection=False, ApplyImmediately=True
                    )
                    client.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)

    def restore_fleets(self) -> None:
        """As large as they were when the play began. Raises SystemFault."""
        for region, desired in self._fleets.items():
            with aws_faults(f"restoring the fleet in {region}"):
                self.session.client("autoscaling", region).set_desired_capacity(
                    AutoScalingGroupName=f"{self.script.name}-fleet", DesiredCapacity=desired
                )

    def as_it_began(self) -> bool:
        """Whether both of it are done. Raises SystemFault."""
        return all(
            not self._former(region)
            and [one["LifecycleState"] for one in self._fleet(region)["Instances"]] == ["InService"] * desired
            for region, desired in self._fleets.items()
        )

    @property
    def _regions(self) -> tuple[str, str]:
        return self.script.home, self.script.standby

    def _former(self, region: str) -> list[str]:
        with aws_faults(f"listing the databases in {region}"):
            found = self.session.client("rds", region).describe_db_instances()["DBInstances"]
        now = self.database_of(region)
        return [one["DBInstanceIdentifier"] for one in found if one["DBInstanceIdentifier"] != now]

    def _fleet(self, region: str) -> dict[str, Any]:
        with aws_faults(f"looking at the fleet in {region}"):
            (found,) = self.session.client("autoscaling", region).describe_auto_scaling_groups(
                AutoScalingGroupNames=[f"{self.script.name}-fleet"]
            )["AutoScalingGroups"]
        return dict(found)

    def database_of(self, region: str) -> str:
        """Identifier of the one that the region's stack has now: after a rejoin it is another. Raises SystemFault."""
        with aws_faults(f"finding the database in {region}"):
            (stack,) = self.session.client("cloudformation", region).describe_stacks(
                StackName=f"{self.script.name}-database"
            )["Stacks"]
        return str(next(item["OutputValue"] for item in stack["Outputs"] if item["OutputKey"] == "DatabaseId"))

    @property
    def session(self) -> Session:
        """Of the account, for what the drill asks of the AWS API."""
        endpoint = administrator(self.twin.ground.home.cloud)
        log = CallLog(most=0)
        return Session.at(endpoint.url, endpoint.access_key_id, endpoint.secret_access_key, log=log, attempts=2)

    def calls(self) -> list[dict[str, Any]]:
        """The gateway's record of customers' calls. Raises SystemFault."""
        try:
            found: list[dict[str, Any]] = ask(self.twin.endpoint, "calls?after=0")
        except OSError as error:
            raise SystemFault(f"the twin's gateway does not give its record of calls: {error}") from error
        return found

    def ids(self, region: str, database: str = "") -> frozenset[str] | None:
        """Of the application's rows; None as below."""
        found = self.rows(region, _IDS, database)
        return None if found is None else frozenset(str(row[0]) for row in found)

    def rows(self, region: str, statement: str, database: str = "") -> list[tuple[Any, ...]] | None:
        """An auditor's look into a database, or into the one that the region had when the play began.

        None where it cannot be asked.
        """
        identifier = database or self._databases[region]
        try:
            return self.twin.databases.look_into(region, identifier, self.script.database, statement)
        except BicoastalError:
            return None

    def _deploy(self) -> None:
        self.package = self.script.pack(self.twin.ground.authority.certificate.read_bytes())
        result = deploy(self.session, self.package, Wishes(), self._tell, threading.Event())
        if result.exit_code:
            errors = [str(outcome.error).splitlines()[0] for outcome in result.outcomes.values() if outcome.error]
            raise SystemFault("the deployment failed, so that nothing can be rehearsed: " + "; ".join(errors))
