"""Stacks wire themselves: one template for both regions, parameters alone differ."""

from __future__ import annotations

import pytest

from bicoastal.blueprint.stack import DataClass, Stack, Where
from bicoastal.blueprint.stacks import Deployment
from bicoastal.cfn.intrinsics import Commented, ref
from bicoastal.cfn.manifest import Chosen, FromOutput, Literal, Live
from bicoastal.spec.model import Spec

SPEC = Spec.model_validate(
    {"name": "orders", "cost_center": "4711", "domain": "orders.example.com", "app": {"command": "serve"}}
)


def network() -> Stack:
    return Stack(SPEC, "network", "a network")


def test_an_input_declares_the_parameter_and_takes_it_from_the_same_region() -> None:
    producer = network()
    vpc = producer.output("VpcId", ref("Vpc"), "The network", type_="AWS::EC2::VPC::Id")
    consumer = Stack(SPEC, "service", "servers")
    assert consumer.input(vpc) == {"Ref": "VpcId"}
    assert consumer.document["Parameters"]["VpcId"] == {"Type": "AWS::EC2::VPC::Id", "Description": "The network"}
    assert consumer.sources["us-east-1"]["VpcId"] == FromOutput("network/us-east-1", "VpcId")
    assert consumer.sources["us-west-2"]["VpcId"] == FromOutput("network/us-west-2", "VpcId")


def test_an_input_from_the_other_region_crosses() -> None:
    vpc = network().output("VpcId", ref("Vpc"), "The network")
    consumer = Stack(SPEC, "peering", "peering")
    assert consumer.input(vpc, Where.OTHER) == {"Ref": "OtherVpcId"}
    assert consumer.sources["us-east-1"]["OtherVpcId"] == FromOutput("network/us-west-2", "VpcId")
    assert consumer.sources["us-west-2"]["OtherVpcId"] == FromOutput("network/us-east-1", "VpcId")


def test_an_id_of_another_region_is_plain_text_because_cloudformation_looks_typed_ids_up_in_its_own() -> None:
    producer = network()
    vpc = producer.output("VpcId", ref("Vpc"), "The network", type_="AWS::EC2::VPC::Id")
    subnets = producer.output("Subnets", ref("Subnets"), "Subnets", type_="List<AWS::EC2::Subnet::Id>")
    consumer = Stack(SPEC, "peering", "peering")
    consumer.input(vpc, Where.OTHER)
    consumer.input(subnets, Where.STANDBY)
    declared = consumer.document["Parameters"]
    assert declared["OtherVpcId"] == {"Type": "String", "Description": "The network (of the other region)"}
    assert declared["StandbySubnets"]["Type"] == "CommaDelimitedList"


def test_an_output_of_a_stack_in_one_region_is_taken_from_there_by_both() -> None:
    zone = Stack(SPEC, "zone", "zone", regions=["us-east-1"]).output("ZoneId", ref("Zone"), "The zone")
    consumer = Stack(SPEC, "service", "servers")
    consumer.input(zone)
    assert consumer.sources["us-west-2"]["ZoneId"] == FromOutput("zone/us-east-1", "ZoneId")


def test_two_outputs_cannot_feed_one_parameter() -> None:
    consumer = Stack(SPEC, "service", "servers")
    consumer.input(Stack(SPEC, "network", "").output("Id", ref("A"), ""))
    with pytest.raises(ValueError, match=r"already takes network\.Id"):
        consumer.input(Stack(SPEC, "database", "").output("Id", ref("A"), ""))


def test_settings_live_and_chosen_parameters_keep_their_kind() -> None:
    stack = network()
    stack.setting("Cidr", {"us-east-1": "10.10.0.0/16", "us-west-2": "10.20.0.0/16"}, "The VPC's addresses")
    stack.live("Role", {"us-east-1": "primary", "us-west-2": "replica"}, "The database's role", AllowedValues=["a"])
    stack.chosen("Zones", "zones-offering:t3.micro", {"us-east-1": "a,b", "us-west-2": "c,d"}, "Availability Zones")
    assert stack.sources["us-west-2"] == {
        "Cidr": Literal("10.20.0.0/16"),
        "Role": Live(Literal("replica")),
        "Zones": Chosen("zones-offering:t3.micro", "c,d"),
    }
    assert stack.document["Parameters"]["Role"]["AllowedValues"] == ["a"]


def test_what_takes_tags_is_tagged_and_says_what_it_holds() -> None:
    stack = network()
    stack.add("Vault", "AWS::Backup::BackupVault", {"BackupVaultName": "v"}, data_class=DataClass.CUSTOMER)
    stack.add("Vpc", "AWS::EC2::VPC", {})
    stack.add("Route", "AWS::EC2::Route", {})
    resources = stack.document["Resources"]
    assert resources["Vault"]["Properties"]["BackupVaultTags"] == {
        "cost-center": "4711",
        "environment": "production",
        "application": "orders",
        "managed-by": "bicoastal",
        "data-class": "customer",
    }
    assert {"Key": "Name", "Value": "orders-production-vpc"} in resources["Vpc"]["Properties"]["Tags"]
    assert resources["Route"]["Properties"] == {}


def test_an_accepted_finding_stands_at_its_resource_with_the_reason() -> None:
    stack = network()
    stack.add("Key", "AWS::KMS::Key", {}, accept={"CKV_AWS_7": "because", "W3005": "needed"})
    assert stack.document["Resources"]["Key"]["Metadata"] == {
        "checkov": {"skip": [{"id": "CKV_AWS_7", "comment": "because"}]},
        "cfn-lint": {"config": {"ignore_checks": [Commented("W3005", "needed")]}},
    }


def test_the_manifest_puts_every_stack_after_what_it_needs() -> None:
    first, second = network(), Stack(SPEC, "service", "servers")
    second.input(first.output("VpcId", ref("Vpc"), ""))
    manifest = Deployment(SPEC, (second, first)).manifest
    assert [entry.id for entry in manifest.stacks] == [
        "network/us-east-1",
        "network/us-west-2",
        "service/us-east-1",
        "service/us-west-2",
    ]


def test_a_circle_of_stacks_is_refused() -> None:
    first, second = network(), Stack(SPEC, "service", "servers")
    second.input(first.output("VpcId", ref("Vpc"), ""))
    first.input(second.output("Group", ref("Group"), ""))
    with pytest.raises(ValueError, match="need each other"):
        _ = Deployment(SPEC, (first, second)).manifest
