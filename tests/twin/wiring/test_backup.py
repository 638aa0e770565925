"""A backup plan that is due every weekday, and a selection of a database that there is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.cloudformation import until
from tests.support.specs import spec
from tests.support.wiring import changed, deploy, walker_of
from tests.twin.backups.conftest import HOME, STANDBY, Room, Rooms, rooms
from tests.twin.backups.test_plans import DAYS_IN_SECONDS, points, ran

__all__ = ["rooms"]
NAME = "orders-production"
PLAN = f"backup/{HOME}"


@pytest.fixture
def room(rooms: Rooms) -> Room:
    return rooms(pace=DAYS_IN_SECONDS)


def test_6_backup_selection_that_matches_nothing(room: Room) -> None:
    """The plan runs and succeeds, and there is nothing to restore from."""
    sound = walker_of(spec(), room.ground, PLAN, f"vault/{STANDBY}")
    nothing = changed("PrimaryDatabase", "- !Ref DatabaseArn", '- !Sub "${DatabaseArn}-of-another-name"')
    file = "templates/backup.yaml"
    replace(sound, templates={**sound.templates, file: nothing(sound.templates[file])}).up()
    ran(room, sound.outputs[PLAN]["BackupPlanId"])
    assert room.client("backup").list_backup_jobs()["BackupJobs"] == []
    assert points(room, NAME) == points(room, NAME, STANDBY) == []

    deploy(sound, PLAN, lambda text: text)
    for _ in until("a backup, and its copy"):
        if points(room, NAME) and points(room, NAME, STANDBY):
            break
    assert points(room, NAME)[0]["ResourceArn"] == room.arn(f"{NAME}-db-g1")
