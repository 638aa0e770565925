"""What is left when a zone or a region is lost, for our sample and for what other people write."""

from __future__ import annotations

from bicoastal.review.case import Case
from bicoastal.review.demand import two_region_web
from bicoastal.review.what_if import Effect, Loss, losses
from tests.support.reviewed import sample
from tests.support.templates import deployment_of

SUBNETS = """\
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  A: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/24, AvailabilityZone: us-east-1a}}
  B: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24, AvailabilityZone: us-east-1b}}
  Group: {Type: AWS::RDS::DBSubnetGroup, Properties: {SubnetIds: [!Ref A, !Ref B], DBSubnetGroupDescription: x}}
"""
DATABASE = (
    "  Db: {{Type: AWS::RDS::DBInstance, Properties: {{Engine: postgres, DBSubnetGroupName: !Ref Group, {more}}}}}"
)


def told(*resources: str) -> list[Loss]:
    return losses(Case(deployment_of(SUBNETS, *resources), two_region_web()))


def effects(loss: Loss) -> list[tuple[str, Effect]]:
    return [(line.part, line.effect) for line in loss.lines]


def test_the_sample_loses_any_zone_without_a_hand_and_home_with_one() -> None:
    found = losses(Case(sample().deployment(), sample().demand))
    assert [loss.what for loss in found if loss.whole] == ["us-east-1", "us-west-2"]
    for loss in found:
        assert not any(line.effect in (Effect.STOPS, Effect.UNKNOWN) for line in loss.lines), loss
        manual = [line for line in loss.lines if line.effect is Effect.MANUAL]
        assert len(manual) == (1 if loss.what == "us-east-1" else 0)


def test_a_single_database_is_restored_by_hand_and_gone_with_its_region() -> None:
    zone, _, region = told(DATABASE.format(more="MultiAZ: false"))
    assert effects(zone) == [("database", Effect.STOPS), ("database", Effect.MANUAL)]
    assert effects(region) == [("web", Effect.STOPS), ("writes", Effect.STOPS)]


def test_a_multi_az_database_is_interrupted_and_an_undecided_one_is_unknown() -> None:
    assert effects(told(DATABASE.format(more="MultiAZ: true"))[0]) == [("database", Effect.INTERRUPTED)]
    assert effects(told(DATABASE.format(more="MultiAZ: !Ref Nobody"))[0]) == [("database", Effect.UNKNOWN)]


def test_a_fleet_in_one_zone_stops_with_it() -> None:
    sizes = "MinSize: 2, MaxSize: 4, VPCZoneIdentifier: [%s]"
    fleet = f"  Fleet: {{Type: AWS::AutoScaling::AutoScalingGroup, Properties: {{{sizes}}}}}"
    assert effects(told(fleet % "!Ref A")[0]) == [("servers", Effect.STOPS)]
    assert effects(told(fleet % "!Ref A, !Ref B")[0]) == [("servers", Effect.GOES_ON)]
    single = (fleet % "!Ref A, !Ref B").replace("MinSize: 2", "MinSize: 1")
    assert effects(told(single)[0]) == [("servers", Effect.INTERRUPTED)]


def test_nothing_that_serves_is_nothing_to_lose() -> None:
    assert told("  T: {Type: AWS::SNS::Topic}") == []
