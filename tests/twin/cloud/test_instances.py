"""EC2's API of instances: where they are, what they are given, which states they pass through, what is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bicoastal.twin.ground import Ground
from tests.twin.conftest import Grounds

REGION = "us-west-2"
USER_DATA = base64.b64encode(b"#cloud-config\n").decode()


class Network:
    """A VPC with two subnets, a group, and a template."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.ec2: Any = ground.api.client("ec2", REGION)
        self.vpc = self.ec2.create_vpc(CidrBlock="10.3.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self._subnet("10.3.8.0/28", "us-west-2b")
        self.other = self._subnet("10.3.9.0/24", "us-west-2c")
        group = self.ec2.create_security_group(GroupName="fleet", Description="x", VpcId=self.vpc)
        self.group = group["GroupId"]
        self.template = self.ec2.create_launch_template(
            LaunchTemplateName="fleet",
            LaunchTemplateData={
                "ImageId": "ami-0123456789abcdef0",
                "InstanceType": "t4g.micro",
                "UserData": USER_DATA,
                "SecurityGroupIds": [self.group],
                "InstanceInitiatedShutdownBehavior": "terminate",
                "MetadataOptions": {"HttpTokens": "required"},
                "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "template"}]}],
            },
        )["LaunchTemplate"]["LaunchTemplateId"]

    def _subnet(self, block: str, zone: str) -> str:
        return str(self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"]["SubnetId"])

    def run(self, **more: Any) -> list[dict[str, Any]]:
        given = {"LaunchTemplate": {"LaunchTemplateId": self.template}, "SubnetId": self.subnet, "MinCount": 1,
                 "MaxCount": 1, **more}  # fmt: skip
        return list(self.ec2.run_instances(**given)["Instances"])

    def state(self, id_: str) -> str:
        found = self.ec2.describe_instances(InstanceIds=[id_])["Reservations"][0]["Instances"][0]
        return str(found["State"]["Name"])

    def report(self, id_: str, **data: Any) -> Any:
        return self.ground.api.report("ec2.instance", REGION, id=id_, **data)


@pytest.fixture
def network(grounds: Grounds) -> Network:
    return Network(grounds("instances"))


def test_it_is_where_its_subnet_is_and_what_its_template_says(network: Network) -> None:
    first, second = network.run(
        MaxCount=2,
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "mine"}]}],
    )
    assert [first["PrivateIpAddress"], second["PrivateIpAddress"]] == ["10.3.8.4", "10.3.8.5"]
    assert first["Placement"]["AvailabilityZone"] == "us-west-2b"
    assert (first["VpcId"], first["State"]["Name"]) == (network.vpc, "pending")
    assert [group["GroupId"] for group in first["SecurityGroups"]] == [network.group]
    assert (first["InstanceType"], first["Architecture"]) == ("t4g.micro", "arm64")
    assert first["MetadataOptions"]["HttpTokens"] == "required"
    tags = {tag["Key"]: tag["Value"] for tag in first["Tags"]}
    assert (tags["Name"], tags["aws:ec2launchtemplate:version"]) == ("mine", "1")
    attribute = network.ec2.describe_instance_attribute
    assert attribute(InstanceId=first["InstanceId"], Attribute="userData")["UserData"]["Value"] == USER_DATA
    shutdown = attribute(InstanceId=first["InstanceId"], Attribute="instanceInitiatedShutdownBehavior")
    assert shutdown["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"


def test_states_are_what_the_controller_says(network: Network) -> None:
    id_ = network.run()[0]["InstanceId"]
    assert network.report(id_, state="running") == {"state": "running"}
    status = network.ec2.describe_instance_status
    assert status(InstanceIds=[id_])["InstanceStatuses"][0]["InstanceStatus"]["Status"] == "initializing"
    network.report(id_, reachable=True, console="it boots")
    assert status(InstanceIds=[id_])["InstanceStatuses"][0]["SystemStatus"]["Status"] == "ok"
    assert network.ec2.get_console_output(InstanceId=id_)["Output"] == "it boots"
    network.report(id_, reachable=False)
    assert status(InstanceIds=[id_])["InstanceStatuses"][0]["InstanceStatus"]["Status"] == "impaired"
    (change,) = network.ec2.terminate_instances(InstanceIds=[id_])["TerminatingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "shutting-down")
    assert network.report(id_, state="running") == {"state": "shutting-down"}, "it does not come back"
    network.report(id_, state="terminated")
    assert network.state(id_) == "terminated"
    network.report(id_, state="gone")
    with pytest.raises(ClientError, match=r"InvalidInstanceID\.NotFound"):
        network.state(id_)


def test_stopped_and_started(network: Network) -> None:
    id_ = network.run()[0]["InstanceId"]
    network.report(id_, state="running")
    network.ec2.stop_instances(InstanceIds=[id_])
    assert network.state(id_) == "stopping"
    with pytest.raises(ClientError, match="IncorrectInstanceState"):
        network.ec2.start_instances(InstanceIds=[id_])
    network.report(id_, state="stopped")
    network.ec2.start_instances(InstanceIds=[id_])
    assert network.state(id_) == "pending"


def test_one_token_is_one_launch(network: Network) -> None:
    one, again = network.run(ClientToken="execution-1"), network.run(ClientToken="execution-1")
    assert one[0]["InstanceId"] == again[0]["InstanceId"]


def test_filters(network: Network) -> None:
    mine = network.run(TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "role", "Value": "x-1"}]}])
    network.run(SubnetId=network.other)

    def found(name: str, *values: str) -> list[str]:
        answer = network.ec2.describe_instances(Filters=[{"Name": name, "Values": list(values)}])
        return [item["InstanceId"] for group in answer["Reservations"] for item in group["Instances"]]

    only = [mine[0]["InstanceId"]]
    assert found("tag:role", "x-*") == found("subnet-id", network.subnet) == found("tag-key", "role") == only
    assert found("private-ip-address", "10.3.8.4") == found("availability-zone", "us-west-2b") == only
    assert len(found("instance-state-name", "pending", "running")) == len(found("vpc-id", network.vpc)) == 2
    assert found("tag:role", "other") == []
    with pytest.raises(ClientError, match="The filter 'nonsense' is invalid"):
        found("nonsense", "x")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"SubnetId": "subnet-00000000000000000"}, "InvalidSubnetID.NotFound"),
        ({"SecurityGroupIds": ["sg-00000000000000000"]}, "InvalidGroup.NotFound"),
        ({"LaunchTemplate": {"LaunchTemplateId": "lt-00000000000000000"}}, "InvalidLaunchTemplateId.NotFound"),
        ({"IamInstanceProfile": {"Name": "nobody"}}, "InvalidParameterValue"),
        ({"UserData": "x" * 30000}, "InvalidParameterValue"),
        ({"MinCount": 20, "MaxCount": 20}, "InsufficientFreeAddressesInSubnet"),
    ],
)
def test_what_ec2_refuses(network: Network, change: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError, match=code):
        network.run(**change)
    answer = network.ec2.describe_instances(Filters=[{"Name": "vpc-id", "Values": [network.vpc]}])
    assert answer["Reservations"] == [], "all of them or none"


def test_without_a_data_plane_everything_is_there_at_once(grounds: Grounds) -> None:
    network = Network(grounds())
    id_ = network.run()[0]["InstanceId"]
    assert network.state(id_) == "running"
    network.ec2.terminate_instances(InstanceIds=[id_])
    assert network.state(id_) == "terminated"


def test_volumes_go_with_their_instance(network: Network) -> None:
    id_ = network.run()[0]["InstanceId"]
    volumes = network.ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [id_]}])["Volumes"]
    assert len(volumes) == 1
    network.ec2.terminate_instances(InstanceIds=[id_])
    network.report(id_, state="terminated")
    assert network.ec2.describe_volumes()["Volumes"] == []
