"""Stacks wired to each other, seen as one graph."""

from bicoastal.cfn.deployment import Change, Deployment
from bicoastal.cfn.manifest import Chosen, FromOutput, Literal, Live, Manifest, StackEntry
from bicoastal.cfn.reader import Template, parse_template
from bicoastal.cfn.values import Reference, Unknown

NETWORK = """\
Parameters:
  Block: {Type: String}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref Block}}
  A: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc}}
  B: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc}}
Outputs:
  Subnets: {Value: !Join [",", [!Ref A, !Ref B]]}
"""
SERVICE = """\
Parameters:
  Subnets: {Type: "List<AWS::EC2::Subnet::Id>"}
  OtherRole: {Type: String}
  Role: {Type: String}
  Version: {Type: String}
Conditions:
  Primary: !Equals [!Ref Role, primary]
Resources:
  Fleet:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties: {VPCZoneIdentifier: !Ref Subnets, Tags: [!Ref Version]}
  Role0:
    Type: AWS::IAM::Role
    Properties: {RoleName: !Sub "orders-${AWS::Region}"}
  Policy:
    Type: AWS::IAM::ManagedPolicy
    DependsOn: Fleet
    Properties:
      PolicyDocument:
        - !GetAtt Role0.Arn
        - !Sub "arn:aws:iam::${AWS::AccountId}:role/orders-${AWS::Region}"
        - !Ref OtherRole
  OnlyPrimary: {Type: AWS::SNS::Topic, Condition: Primary}
Outputs:
  RoleArn: {Value: !GetAtt Role0.Arn}
"""
REGIONS = ("us-east-1", "us-west-2")


def manifest() -> Manifest:
    stacks = []
    for region, other in (REGIONS, REGIONS[::-1]):
        stacks.append(
            StackEntry(f"network/{region}", "orders-network", "network.yaml", region, {"Block": Literal("10.0.0.0/16")})
        )
        stacks.append(
            StackEntry(
                f"service/{region}",
                "orders-service",
                "service.yaml",
                region,
                {
                    "Subnets": FromOutput(f"network/{region}", "Subnets"),
                    "OtherRole": FromOutput(f"service/{other}", "RoleArn"),
                    "Role": Live(Literal("primary" if region == REGIONS[0] else "replica")),
                    "Version": Chosen("artifact:kit", "0" * 16),
                },
            )
        )
    return Manifest("orders", "production", {REGIONS[0]: "home", REGIONS[1]: "standby"}, {"a": "b"}, tuple(stacks))


def templates() -> dict[str, Template]:
    return {name: parse_template(text, name) for name, text in (("network.yaml", NETWORK), ("service.yaml", SERVICE))}


def deployment(change: Change | None = None) -> Deployment:
    return Deployment.of(manifest(), templates(), change)


def test_parameters_lead_through_to_the_resource_of_the_other_stack() -> None:
    found = deployment()
    fleet = found.stacks["service/us-west-2"].resources["Fleet"]
    subnets = [found.resource(value) for value in fleet.items("VPCZoneIdentifier")]
    assert [str(item) for item in subnets] == ["network/us-west-2/A", "network/us-west-2/B"]
    vpc = found.stacks["network/us-west-2"].resources["Vpc"]
    assert [item.logical_id for item in found.referring(vpc, "AWS::EC2::Subnet")] == ["A", "B"]


def test_names_arns_and_references_lead_to_the_same_resource() -> None:
    found = deployment()
    policy = found.stacks["service/us-east-1"].resources["Policy"]
    own, by_name, other = policy.items("PolicyDocument")
    role = found.stacks["service/us-east-1"].resources["Role0"]
    assert found.resource(own) is role
    assert found.resource(by_name) is role
    assert found.resource(other) is found.stacks["service/us-west-2"].resources["Role0"]
    assert found.spelled(own) == found.spelled(by_name) == "arn:aws:iam::${AWS::AccountId}:role/orders-us-east-1"


def test_live_parameters_decide_what_exists_and_can_be_changed() -> None:
    assert "OnlyPrimary" not in deployment().stacks["service/us-west-2"].resources
    promoted = deployment(Change(parameters={("service/us-west-2", "Role"): "primary"}))
    assert "OnlyPrimary" in promoted.stacks["service/us-west-2"].resources


def test_an_absent_resource_leaves_no_mention_even_in_other_stacks() -> None:
    found = deployment(Change(absent=frozenset({("network.yaml", "A")})))
    fleet = found.stacks["service/us-east-1"].resources["Fleet"]
    assert fleet.get("VPCZoneIdentifier") == [Reference("network/us-east-1", "B")]
    assert [item.logical_id for item in found.of_type("AWS::EC2::Subnet")] == ["B", "B"]


def test_depends_on_is_a_reference_too() -> None:
    found = deployment()
    fleet = found.stacks["service/us-east-1"].resources["Fleet"]
    assert [str(item) for item in found.referring(fleet)] == ["service/us-east-1/Policy"]


def test_regions_begin_with_home() -> None:
    assert deployment().regions == REGIONS


def test_a_stack_that_is_not_there_is_unknown_with_the_reason() -> None:
    entry = StackEntry("a/us-east-1", "a", "service.yaml", "us-east-1", {"Role": FromOutput("gone/us-east-1", "X")})
    found = Deployment.of(Manifest("a", "p", {}, {}, (entry,)), templates())
    value = found.stacks["a/us-east-1"].evaluator.parameter("Role")
    assert value == Unknown("there is no stack gone/us-east-1")
    assert found.stacks["a/us-east-1"].resources["OnlyPrimary"].exists is None


def test_exports_are_found_between_files_of_a_region() -> None:
    giving = "Resources:\n  T: {Type: AWS::SNS::Topic}\nOutputs:\n  O: {Value: !Ref T, Export: {Name: topic}}\n"
    taking = "Resources:\n  S: {Type: AWS::SNS::Subscription, Properties: {TopicArn: !ImportValue topic}}\n"
    pairs = [(parse_template(giving, "a.yaml"), "us-east-1"), (parse_template(taking, "b.yaml"), "us-east-1")]
    found = Deployment.of_files(pairs)
    target = found.resource(found.stacks["b/us-east-1"].resources["S"].get("TopicArn"))
    assert str(target) == "a/us-east-1/T"
