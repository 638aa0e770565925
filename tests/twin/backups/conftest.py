"""A control plane with the databases' and the backups' controllers in their loops, and AWS Backup as a user sees it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bicoastal.twin.api import Watcher
from bicoastal.twin.backups.controller import Backups
from bicoastal.twin.controller import Loop
from bicoastal.twin.ground import Ground, ground
from bicoastal.twin.pace import Pace
from bicoastal.twin.processes import end_leftovers
from tests.support.cloudformation import Account, until
from tests.twin.conftest import REGIONS

Json = Any
HOME, STANDBY = REGIONS
KEPT = {"DeleteAfterDays": 35}


class Room:
    """The room, with vaults, roles and databases."""

    def __init__(self, on: Ground) -> None:
        self.ground = on
        self.account = Account(on.api.endpoint)
        self.backups = Backups(on)
        self._loop: Loop[Any, Any] = Loop(self.backups, 1.0)
        self._watcher = Watcher(on.api, self._loop.poke)
        self._loop.start()
        self._watcher.start()

    def stop(self) -> None:
        self._watcher.stop()
        self._loop.stop()

    def client(self, service: str, region: str = HOME) -> Any:
        return self.account.client(service, region)

    def arn(self, name: str, region: str = HOME) -> str:
        return f"arn:aws:rds:{region}:{self.ground.api.endpoint.account}:db:{name}"

    def vault_arn(self, name: str, region: str = HOME) -> str:
        return f"arn:aws:backup:{region}:{self.ground.api.endpoint.account}:backup-vault:{name}"

    def vault(self, name: str, region: str = HOME) -> str:
        self.client("backup", region).create_backup_vault(BackupVaultName=name)
        return name

    def role(self, name: str, *statements: Json) -> str:
        """A role that AWS Backup may take; without statements it may do all that backups need."""
        iam = self.client("iam")
        trust = {
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "backup.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ]
        }
        allowed = statements or ({"Effect": "Allow", "Action": ["rds:*", "backup:*", "kms:*"], "Resource": "*"},)
        found = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        policy = {"Version": "2012-10-17", "Statement": list(allowed)}
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
        return str(found)

    def database(self, name: str, region: str = HOME, **tags: str) -> str:
        """A DB instance on paper: without the databases' data plane it is there at once."""
        made = self.client("rds", region).create_db_instance(
            DBInstanceIdentifier=name,
            Engine="postgres",
            DBInstanceClass="db.t4g.medium",
            AllocatedStorage=20,
            MasterUsername="master",
            MasterUserPassword="a-password-of-tests",
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        return str(made["DBInstance"]["DBInstanceArn"])

    def back_up(self, arn: str, vault: str, role: str, region: str = HOME, **more: Json) -> Json:
        """A backup job, at its end."""
        backup = self.client("backup", region)
        job = backup.start_backup_job(BackupVaultName=vault, ResourceArn=arn, IamRoleArn=role, **more)
        return self.ended("backup", job["BackupJobId"], region)

    def ended(self, kind: str, id_: str, region: str = HOME) -> Json:
        backup = self.client("backup", region)
        for _ in until(f"the {kind} job"):
            if kind == "backup":
                found = backup.describe_backup_job(BackupJobId=id_)
            elif kind == "copy":
                found = backup.describe_copy_job(CopyJobId=id_)["CopyJob"]
            else:
                found = backup.describe_restore_job(RestoreJobId=id_)
            if found.get("State", found.get("Status")) in ("COMPLETED", "FAILED", "ABORTED", "EXPIRED"):
                return found
        raise AssertionError


Rooms = Callable[..., Room]


@pytest.fixture
def rooms() -> Iterator[Rooms]:
    """Makes rooms that end with the test: `rooms("databases", pace=FAST)`, with those data planes beside."""
    with ExitStack() as stack:

        def make(*planes: str, pace: Pace | None = None) -> Room:
            root = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
            root.chmod(0o755)
            stack.callback(shutil.rmtree, root, ignore_errors=True)
            on = stack.enter_context(ground(root, ("backups", *planes), REGIONS, pace or Pace("of a test", 1)))
            stack.callback(end_leftovers, on.home, 1)
            room = Room(on)
            stack.callback(room.stop)
            return room

        yield make
