"""A restore is killed before and after each of its steps: one new database at most, and the live one as it was.

AWS Backup's jobs are done by the twin's own controller, on databases that are there on paper.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bicoastal.blueprint.stacks import compose
from bicoastal.operate.backups import Point, choose, keep
from bicoastal.operate.observe import observe_side
from bicoastal.operate.restore import Restore
from bicoastal.operate.subject import Subject
from bicoastal.operate.transitions import RESTORE, Step
from bicoastal.twin.backups.controller import Backups
from bicoastal.twin.controller import Loop
from bicoastal.twin.ground import ground
from bicoastal.twin.pace import Pace
from bicoastal.twin.processes import end_leftovers
from tests.operate.executioner import Executioner, Killed
from tests.operate.kits import EAST, PREFIX, WEST, Kits, SessionWithKits
from tests.support.cloudformation import Account, Walker
from tests.support.running import until
from tests.support.specs import spec


@pytest.fixture(scope="module")
def kits() -> Iterator[Kits]:
    """All stacks stand in both regions, and backups are made."""
    made = compose(spec())
    templates = {f"templates/{stack.kind}.yaml": stack.to_yaml() for stack in made.stacks}
    root = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
    root.chmod(0o755)
    with ExitStack() as ends:
        ends.callback(shutil.rmtree, root, ignore_errors=True)
        on = ends.enter_context(ground(root, ("backups",), (EAST, WEST), Pace("of a test", 1)))
        ends.callback(end_leftovers, on.home, 1)
        loop: Loop[Any, Any] = Loop(Backups(on), 0.1)
        loop.start()
        ends.callback(loop.stop)
        Walker(Account(on.api.endpoint), made.manifest, templates).up()
        yield Kits(on.api.endpoint)


@pytest.fixture(scope="module")
def point(kits: Kits) -> Point:
    """Of the primary, as the plan makes it."""
    session, backup = SessionWithKits.of(kits), kits.client("backup", EAST)
    (database,) = session.client("rds", EAST).describe_db_instances()["DBInstances"]
    role = session.client("iam", EAST).get_role(RoleName=f"{PREFIX}-backup-{EAST}")["Role"]["Arn"]
    job = backup.start_backup_job(
        BackupVaultName=PREFIX,
        ResourceArn=database["DBInstanceArn"],
        IamRoleArn=role,
        Lifecycle={"DeleteAfterDays": 35},
    )["BackupJobId"]
    until("the backup is made", lambda: backup.describe_backup_job(BackupJobId=job)["State"] == "COMPLETED")
    known = Subject("orders", "production", "orders.example.com", EAST, WEST, "nearest", rpo_s=30.0)
    return choose(keep(session, known), named="", before=None, region="")


@pytest.fixture
def restore(session: SessionWithKits, subject: Subject, point: Point, tmp_path: Path) -> Callable[..., Restore]:
    side = observe_side(session, subject, EAST, kinds=("foundation",))
    bucket = side.output("foundation", "ArtifactBucket")

    def make(met: set[tuple[str, Step]], *, stays: bool) -> Restore:
        journal = Executioner(session, EAST, bucket, "restore", tmp_path, met=met)
        return Restore(session, subject, point, keep=stays, journal=journal, tell=lambda _: None)

    return make


@pytest.mark.parametrize("stays", [True, False], ids=["keep", "discard"])
def test_killed_anywhere_it_goes_on(
    session: SessionWithKits, point: Point, restore: Callable[..., Restore], *, stays: bool
) -> None:
    def described() -> dict[str, Any]:
        found = session.client("rds", EAST).describe_db_instances()["DBInstances"]
        return {item["DBInstanceIdentifier"]: item for item in found}

    live = described()
    met: set[tuple[str, Step]] = set()
    while True:
        walk = restore(met, stays=stays)
        try:
            walk.run()
            break
        except Killed:
            assert described().keys() <= {*live, walk.name}, "nothing is made beside it"
    # The wait may be over when it is looked for again.
    steps = {row.step for row in RESTORE} - {Step.DONE, Step.AWAIT_RESTORE}
    assert met >= {(what, step) for what in ("begins", "done") for step in steps}
    assert walk.census is not None
    assert walk.census.sound
    now = described()
    assert {name: now[name] for name in live} == live
    assert (walk.name in now) is stays
    if stays:
        tags = session.client("rds", EAST).list_tags_for_resource(ResourceName=now[walk.name]["DBInstanceArn"])
        assert {"Key": "restored-from", "Value": point.id} in tags["TagList"]
        restore(met, stays=False).run()
        assert described() == live
