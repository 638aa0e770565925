"""Failures smaller than a region, a region's as they are put together, and promises."""

from __future__ import annotations

import pytest

from bicoastal.resilience.figures import Figure
from bicoastal.resilience.outcomes import outcomes
from bicoastal.resilience.promise import Kept, kept
from tests.support.reviewed import sample
from tests.support.templates import deployment_of

DATABASE = (
    "  Db: {{Type: AWS::RDS::DBInstance, Properties: {{Engine: postgres, MultiAZ: {multi},"
    " BackupRetentionPeriod: {days}}}}}"
)


def test_the_samples_failures_are_reckoned_from_the_smallest_to_a_region() -> None:
    found = outcomes(sample().deployment())
    assert [(one.failure, one.region, one.what.split(" ")[0]) for one in found] == [
        ("an instance", "us-east-1", "requests"),
        ("the zone of DatabaseInstance", "us-east-1", "writes"),
        ("the region", "us-east-1", "requests"),
        ("the region", "us-east-1", "writes,"),
        ("an instance", "us-west-2", "requests"),
        ("the zone of DatabaseInstance", "us-west-2", "reads"),
        ("the region", "us-west-2", "requests"),
    ]
    writes = found[3]
    assert writes.rto is not None
    assert writes.rto.least >= 25 + 180 + 60
    assert writes.rto.most is None
    assert writes.rpo is not None
    assert writes.rpo.most is None
    assert "an alarm tells of more than" in writes.rpo.source
    for one in found:
        assert all(phase.source for phase in one.phases)
        assert one.rto is not None or one.why_unknown


def test_a_multi_az_database_moves_by_itself_and_loses_nothing() -> None:
    found = outcomes(deployment_of(DATABASE.format(multi="true", days=1)))[0]
    assert found.rto is not None
    assert (found.rto.least, found.rto.most) == (60, 120)
    assert found.rpo is not None
    assert found.rpo.most == 0


def test_a_single_database_is_restored_and_how_long_that_takes_is_not_made_up() -> None:
    found = outcomes(deployment_of(DATABASE.format(multi="false", days=7)))[0]
    assert found.rto is not None
    assert found.rto.most is None
    assert found.rpo is not None
    assert found.rpo.most == 300
    lost = outcomes(deployment_of(DATABASE.format(multi="false", days=0)))[0]
    assert lost.rto is None
    assert "no backup" in lost.why_unknown
    unknown = outcomes(deployment_of(DATABASE.format(multi="!Ref Nobody", days=7)))[0]
    assert unknown.rto is None
    assert "Nobody" in unknown.why_unknown


def test_a_region_without_another_one_is_the_end() -> None:
    found = outcomes(deployment_of(DATABASE.format(multi="true", days=1)))[-1]
    assert (found.failure, found.rto, found.why_unknown) == ("the region", None, "nothing stands in another region")


@pytest.mark.parametrize(
    ("least", "most", "verdict"),
    [(0, 60, Kept.KEPT), (0, 61, Kept.NOT_PROVEN), (0, None, Kept.NOT_PROVEN), (61, None, Kept.BROKEN)],
)
def test_a_promise_is_kept_broken_or_not_proven(least: float, most: float | None, verdict: Kept) -> None:
    assert kept(60, Figure("x", least, most, "a test")) is verdict
    assert kept(60, None) is Kept.NOT_PROVEN
