"""The fleet: what is launched, where, how many, and how one version follows another."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from bicoastal.blueprint.service.fleet import WARMUP_S
from bicoastal.blueprint.service.units import SIGNAL_DEADLINE_S
from bicoastal.cfn.manifest import Chosen
from bicoastal.spec.model import Spec
from tests.support.deployed import deployed, plain, service
from tests.support.specs import spec, valid_specs


def template_data(any_spec: Spec) -> Any:
    return service(any_spec).resources["LaunchTemplate"].get("LaunchTemplateData")


def test_no_update_of_the_stack_sets_the_number_of_instances() -> None:
    group = service(spec(instances={"min": 3, "max": 9})).resources["Fleet"]
    assert "DesiredCapacity" not in group.properties
    assert (group.get("MinSize"), group.get("MaxSize")) == ("3", "9")


def test_no_update_of_the_stack_looks_for_a_newer_image() -> None:
    """With a parameter of an SSM type, recording the switch would replace the surviving fleet in a failover."""
    for stack in deployed(spec()).stacks.values():
        for name, parameter in stack.template.section("Parameters").items():
            assert not parameter["Type"].startswith("AWS::SSM::Parameter"), (stack.id, name)
    assert "resolve:ssm" not in repr(service(spec()).template.section("Resources"))


@pytest.mark.parametrize(("type_", "image"), [("t3.micro", "x86_64"), ("t4g.small", "arm64"), ("m7g.large", "arm64")])
def test_the_image_is_chosen_for_the_instances_processor(type_: str, image: str) -> None:
    source = service(spec(instances={"type": type_})).sources["ImageId"]
    assert isinstance(source, Chosen)
    assert source.chooser.startswith("image:/aws/service/ami-amazon-linux-latest/al2023-")
    assert source.chooser.endswith(image)


def test_instances_are_private_keyless_encrypted_and_ask_for_tokens() -> None:
    data = template_data(spec())
    (interface,) = data["NetworkInterfaces"]
    assert interface["AssociatePublicIpAddress"] is False
    assert [plain(group) for group in interface["Groups"]] == ["${network/us-east-1/FleetGroup}"]
    assert "KeyName" not in data
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    (disk,) = [item["Ebs"] for item in data["BlockDeviceMappings"]]
    assert (disk["VolumeType"], disk["Encrypted"], disk["DeleteOnTermination"]) == ("gp3", True, True)
    assert plain(disk["KmsKeyId"]) == "${foundation/us-east-1/DataKey.Arn}"
    assert plain(data["IamInstanceProfile"]["Arn"]) == "${access/us-east-1/InstanceProfile.Arn}"
    assert data["Monitoring"] == {"Enabled": True}


@pytest.mark.parametrize(("type_", "unlimited"), [("t3.micro", True), ("t4g.small", True), ("m7g.large", False)])
def test_credits_are_unlimited_and_watched_where_there_are_any(type_: str, unlimited: bool) -> None:
    stack = service(spec(instances={"type": type_}))
    data = stack.resources["LaunchTemplate"].get("LaunchTemplateData")
    assert (data.get("CreditSpecification") == {"CpuCredits": "unlimited"}) is unlimited
    assert ("SurplusCredits" in stack.resources) is unlimited


def test_everything_launched_is_tagged() -> None:
    data = template_data(spec(tags={"team": "orders"}))
    kinds = {
        item["ResourceType"]: {tag["Key"]: tag["Value"] for tag in item["Tags"]} for item in data["TagSpecifications"]
    }
    assert set(kinds) == {"instance", "volume", "network-interface"}
    for tags in kinds.values():
        assert tags["cost-center"] == "4711"
        assert tags["environment"] == "production"
        assert tags["team"] == "orders"


def test_the_group_spans_the_application_subnets_and_stands_in_both_target_groups() -> None:
    stack = service(spec(), "us-west-2")
    group = stack.resources["Fleet"]
    assert [str(item) for item in group.items("VPCZoneIdentifier")] == [
        f"${{network/us-west-2/ApplicationSubnet{letter}}}" for letter in "ABC"
    ]
    assert [item.resource for item in group.items("TargetGroupARNs")] == ["ApplicationTargets", "GateTargets"]
    assert group.get("HealthCheckType") == "ELB"
    assert group.items("MetricsCollection") == [{"Granularity": "1Minute"}], "all of them: nothing is left out by name"
    assert "HttpsListener" in group.body["DependsOn"], "a target group that nothing forwards to checks no health"


@settings(max_examples=10)
@given(valid_specs())
def test_a_rolling_update_keeps_the_minimum_and_can_always_begin(any_spec: Spec) -> None:
    group = service(any_spec, any_spec.home).resources["Fleet"]
    update = group.attribute("UpdatePolicy")["AutoScalingRollingUpdate"]
    smallest, largest = any_spec.instances.min, any_spec.instances.max
    assert update["MinInstancesInService"] < largest, "CloudFormation refuses anything else"
    assert update["MinInstancesInService"] == smallest or smallest == largest
    assert update["WaitOnResourceSignals"] is True
    assert update["MinSuccessfulInstancesPercent"] == 100
    assert {"ReplaceUnhealthy", "AZRebalance", "AlarmNotification", "ScheduledActions"} <= set(
        update["SuspendProcesses"]
    )
    assert group.attribute("CreationPolicy")["ResourceSignal"]["Count"] == smallest


def test_an_instance_that_fails_to_start_can_say_why_before_it_is_replaced() -> None:
    group = service(spec()).resources["Fleet"]
    grace = int(group.get("HealthCheckGracePeriod"))
    assert grace >= WARMUP_S + SIGNAL_DEADLINE_S
    assert grace <= 15 * 60, "and within what CloudFormation waits"
    assert group.attribute("CreationPolicy")["ResourceSignal"]["Timeout"] == "PT15M"


def test_an_instance_is_launched_before_the_one_it_replaces_goes() -> None:
    policy = service(spec()).resources["Fleet"].get("InstanceMaintenancePolicy")
    assert policy["MinHealthyPercentage"] == 100
    assert 100 < policy["MaxHealthyPercentage"] <= 200


@pytest.mark.parametrize("name", ["KitVersion", "ApplicationVersion", "ImageId"])
def test_what_replaces_the_fleet_is_chosen_and_then_kept(name: str) -> None:
    for region in ("us-east-1", "us-west-2"):
        assert isinstance(service(spec(), region).sources[name], Chosen)


def test_flipping_the_switch_or_the_gate_touches_no_instance() -> None:
    before, after = service(spec()), service(spec(), Switch="on:2;", ReadGate="closed")
    changed = {
        name for name in before.resources if before.resources[name].properties != after.resources[name].properties
    }
    assert changed == {"SwitchRule", "HttpsListener"}
