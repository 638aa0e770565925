"""The deployment's own policies are enough to operate it, for a user who has nothing else: on the control plane."""

from __future__ import annotations

from pathlib import Path

import pytest

from bicoastal.aws.faults import ApiFault
from bicoastal.operate.failover import Failover, Wishes
from bicoastal.operate.journal import Journal
from bicoastal.operate.lock import Place, held
from bicoastal.operate.rejoin import Rejoin
from bicoastal.operate.standing import stand
from bicoastal.operate.subject import Subject
from bicoastal.operate.switchover import Switchover
from bicoastal.stacks.view import view
from tests.operate.kits import EAST, PREFIX, WEST, Kits, SessionWithKits

FAILOVER, ALL = ("operator",), ("operator", "rejoin")


def signed_in(
    kits: Kits, name: str, rights: tuple[str, ...], regions: tuple[str, ...] = (EAST, WEST)
) -> SessionWithKits:
    """A user with these policies of these regions."""
    iam = kits.client("iam", EAST)
    wanted = {f"{PREFIX}-{right}-{region}" for right in rights for region in regions}
    pages = iam.get_paginator("list_policies").paginate(Scope="Local")
    found = [item["Arn"] for page in pages for item in page["Policies"] if item["PolicyName"] in wanted]
    assert len(found) == len(wanted)
    iam.create_user(UserName=name)
    for arn in found:
        iam.attach_user_policy(UserName=name, PolicyArn=arn)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    made = SessionWithKits.at(kits.endpoint.url, key["AccessKeyId"], key["SecretAccessKey"], attempts=1)
    assert isinstance(made, SessionWithKits)
    made.kits = kits
    return made


def journal(session: SessionWithKits, subject: Subject, region: str, folder: Path) -> Journal:
    found = view(session, subject.stack("foundation"), region)
    assert found is not None
    return Journal(session, region, found.outputs["ArtifactBucket"], "operation", folder)


def test_one_regions_rights_are_not_the_others(kits: Kits, subject: Subject, folder: Path) -> None:
    stranger = signed_in(kits, "stranger", FAILOVER, (EAST,))
    kits.lost.add(EAST)
    try:
        with pytest.raises(ApiFault, match="AccessDenied"):
            fail_over(stranger, subject, Journal(stranger, WEST, "a-bucket", "failover", folder))
    finally:
        kits.lost.clear()


def fail_over(session: SessionWithKits, subject: Subject, written: Journal) -> None:
    wishes = Wishes(1.0, "a rehearsal")
    Failover(session, subject, wishes, region=WEST, journal=written, tell=lambda _: None).run()


def test_the_operators_policies_are_enough(kits: Kits, subject: Subject, folder: Path) -> None:
    """A failover with that of the surviving region alone, the way back with those of both."""
    session = signed_in(kits, "survivor", FAILOVER, (WEST,))
    written = journal(session, subject, WEST, folder)
    kits.lost.add(EAST)
    try:
        with held(Place(session, WEST, written.bucket), "failover"):
            fail_over(session, subject, written)
            written.send()
    finally:
        kits.lost.clear()
    session = signed_in(kits, "both", ALL)
    rejoin(session, subject, WEST, folder)
    written = journal(session, subject, EAST, folder)
    Switchover(session, subject, region=EAST, journal=written, tell=lambda _: None, drain_s=1).run()
    rejoin(session, subject, EAST, folder)
    assert stand(session, subject).why == ()


def rejoin(session: SessionWithKits, subject: Subject, here: str, folder: Path) -> None:
    written = journal(session, subject, here, folder)
    Rejoin(session, subject, region=here, journal=written, tell=lambda _: None).run()
    written.send()
