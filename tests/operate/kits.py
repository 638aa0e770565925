"""Kits that speak through Systems Manager, for a control plane on which no instance runs: a database is what RDS says.

The real verbs are tested on real servers (`tests/kit`); here they only do to a small model what theirs do to a
database.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bicoastal.aws.session import Session
from bicoastal.twin.cloud.process import Endpoint
from tests.support.cloudformation import client

EAST, WEST = "us-east-1", "us-west-2"
PREFIX = "orders-production"


@dataclass
class Database:
    """What one instance holds, whichever region it is in."""

    epoch: int = 1
    fence: tuple[str, int] | None = None
    rows: list[str] = field(default_factory=list)
    silent_s: float | None = None
    """The heartbeat's age; None: it beats."""


@dataclass
class Kits:
    """The kits of both regions: databases by the identifier of their DB instance, in their region."""

    endpoint: Endpoint
    databases: dict[tuple[str, str], Database] = field(default_factory=dict)
    reading: dict[str, int] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    """Of a region's DB instance, in place of what the control plane says."""
    lost: set[str] = field(default_factory=set)
    prompt: bool = False
    """The replica tells its primary at once what it has."""
    deaf: bool = False
    """No fence reaches a replica any more."""
    hears: Callable[[], None] | None = None
    """Is told of a verb before it is done."""
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    ran: list[tuple[str, str]] = field(default_factory=list)

    def client(self, service: str, region: str) -> Any:
        """An ordinary client of the control plane."""
        endpoint = self.endpoint
        return client(
            endpoint.url, endpoint.access_key_id, endpoint.secret_access_key, service=service, region=region
        )  # fmt: skip

    def run(self, region: str, verb: str, parameters: dict[str, list[str]]) -> dict[str, Any]:
        """Do a verb; returns what GetCommandInvocation says."""
        self.ran.append((region, verb))
        if self.hears is not None:
            self.hears()
        values = {name: value[0] for name, value in parameters.items()}
        try:
            said = {"status": self._status, "fence": self._fence, "unfence": self._unfence, "probe": self._probe,
                    "diverged": self._diverged, "census": self._census}[verb](region, values)  # fmt: skip
        except _No as no:
            return {"Status": "Failed", "ResponseCode": 1, "StandardErrorContent": str(no)}
        return {"Status": "Success", "ResponseCode": 0, "StandardOutputContent": json.dumps(said)}

    def record(self, region: str) -> Any:
        """The DB instance that the region's kit is told of: the newest generation, as its host name is refreshed."""
        found = self.client("rds", region).describe_db_instances()["DBInstances"]
        return max(found, key=lambda item: item["DBInstanceIdentifier"])

    def database(self, region: str) -> tuple[Database, bool]:
        """The local database, and whether it is a replica; a replica is its source's until it stands alone."""
        record = self.record(region)
        key = region, record["DBInstanceIdentifier"]
        source = record.get("ReadReplicaSourceDBInstanceIdentifier")
        if not source:
            return self.databases.setdefault(key, Database()), False
        parts = source.split(":")
        of = (parts[3], parts[6]) if len(parts) > 1 else (region, source)
        known = self.databases.setdefault(of, Database())
        copy = Database(
            known.epoch, None if self.deaf else known.fence, list(known.rows), 60.0 if of[0] in self.lost else None
        )
        self.databases[key] = copy
        return copy, True

    def _status(self, region: str, _: dict[str, str]) -> dict[str, Any]:
        database, replica = self.database(region)
        other = self.record(EAST if region == WEST else WEST)
        follower = region in str(other.get("ReadReplicaSourceDBInstanceIdentifier", ""))
        fence = database.fence
        return {
            "instance": {"id": "i-1"},
            "intervals": {"tick": 0.01, "isolation": 0.1},
            "witness": {"epoch": database.epoch},
            "database": {
                "role": "replica" if replica else "primary",
                "epoch": database.epoch,
                "heartbeat_age_s": database.silent_s if database.silent_s is not None else 0.01,
                "fence": fence and {"reason": fence[0], "epoch": fence[1], "done": True},
                "reading": {"sessions": self.reading.get(region, 0)},
                "receiver": {"status": "stopped" if database.silent_s else "streaming"} if replica else None,
                "snapshot": "10:10:",
                "slots": [{"other_region": True, "state": "streaming"}] if follower else [],
            },
        }

    def _fence(self, region: str, values: dict[str, str]) -> dict[str, Any]:
        database = self._primary(region)
        epoch = int(values["Epoch"])
        if epoch < database.epoch or (values["Reason"] == "superseded" and epoch == database.epoch):
            raise _No("stale")
        database.fence = values["Reason"], epoch
        return {"fenced": True, "lsn": "0/1", "received": self.prompt}

    def _unfence(self, region: str, values: dict[str, str]) -> dict[str, Any]:
        database = self._primary(region)
        if int(values["Epoch"]) < database.epoch:
            raise _No("too low")
        database.epoch, database.fence = int(values["Epoch"]), None
        return self._probe(region, values)

    def _probe(self, region: str, _: dict[str, str]) -> dict[str, Any]:
        if self._primary(region).fence is not None:
            raise _No("the application cannot write")
        return {"writes": True, "seconds": 0.0}

    def _diverged(self, region: str, _: dict[str, str]) -> dict[str, Any]:
        rows = [{"table": "public.orders", "row": {"id": row}} for row in self._primary(region).rows]
        return {"rows": rows, "more": False, "next": len(rows), "tables": 1, "unreadable": []}

    def _census(self, _: str, __: dict[str, str]) -> dict[str, Any]:
        """Of a database that is as the live one."""
        read = {"rows": 3, "checksum": "1a"}
        tables = [{"table": "public.orders", "restored": read, "here": read, "same": True}]
        return {"tables": tables, "more": False, "next": 1, "of": 1, "page_checksums": "on", "invalid_indexes": 0}

    def _primary(self, region: str) -> Database:
        database, replica = self.database(region)
        if replica:
            raise _No("it is a replica")
        return database


class _No(Exception):  # noqa: N818 - an answer
    """The kit refuses."""


class SessionWithKits(Session):
    """Everything is asked of the control plane, but Run Command of the kits; a lost region answers nothing."""

    kits: Kits

    @classmethod
    def of(cls, kits: Kits) -> SessionWithKits:
        made = cls.at(
            kits.endpoint.url, kits.endpoint.access_key_id, kits.endpoint.secret_access_key, attempts=1
        )  # fmt: skip
        assert isinstance(made, SessionWithKits)
        made.kits = kits
        return made

    def client(self, service: str, region: str) -> Any:
        """As a Session does."""
        if region in self.kits.lost:
            from botocore.exceptions import EndpointConnectionError  # noqa: PLC0415

            return _Silent(EndpointConnectionError(endpoint_url=f"https://{service}.{region}.amazonaws.com"))
        if service == "ssm":
            return _RunCommand(self.kits, region)
        if service == "rds" and region in self.kits.status:
            return _Status(super().client(service, region), self.kits.status[region])
        if service == "autoscaling":
            return _OneInService(super().client(service, region))
        return super().client(service, region)


@dataclass(frozen=True)
class _Silent:
    """A client of a region that is lost."""

    error: Exception

    def __getattr__(self, _: str) -> Any:
        def ask(*_: Any, **__: Any) -> Any:
            raise self.error

        return ask


@dataclass(frozen=True)
class _Status:
    """RDS, with another status of its instances."""

    inner: Any
    status: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def describe_db_instances(self, **request: Any) -> Any:
        answer = self.inner.describe_db_instances(**request)
        for item in answer["DBInstances"]:
            item["DBInstanceStatus"] = self.status
        return answer


@dataclass(frozen=True)
class _OneInService:
    """Of each group, whose instances nobody boots here."""

    inner: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def describe_auto_scaling_groups(self, **request: Any) -> Any:
        answer = self.inner.describe_auto_scaling_groups(**request)
        for group in answer["AutoScalingGroups"]:
            group["Instances"] = [{"InstanceId": "i-1", "LifecycleState": "InService"}]
        return answer


@dataclass(frozen=True)
class _RunCommand:
    """The two calls of Systems Manager that operations make."""

    kits: Kits
    region: str

    def send_command(self, **request: Any) -> Any:
        id_ = uuid.uuid4().hex
        verb = request["DocumentName"].removeprefix(f"{PREFIX}-kit-")
        self.kits.answers[id_] = self.kits.run(self.region, verb, request["Parameters"])
        return {"Command": {"CommandId": id_}}

    def get_command_invocation(self, **request: Any) -> Any:
        return self.kits.answers[request["CommandId"]]
