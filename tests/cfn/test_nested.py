"""Templates inside templates: nested stacks by their paths, modules, and what is said of those that are not here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bicoastal.cfn.deployment import Deployment
from bicoastal.cfn.load import read_deployment
from bicoastal.cfn.nested import RULE

NETWORK = """\
Parameters:
  Block: {Type: String}
  Zones: {Type: CommaDelimitedList, Default: ""}
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: !Ref Block}
  Subnet:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: 10.1.1.0/24, AvailabilityZone: !Select [1, !Ref Zones]}
Outputs:
  VpcId: {Value: !Ref Vpc}
"""
PARENT = """\
Parameters:
  Bucket: {Type: String}
Resources:
  Network:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: HERE
      Parameters: {Block: 10.1.0.0/16, Zones: !Join [",", [us-east-1a, us-east-1b]]}
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: app, VpcId: !GetAtt Network.Outputs.VpcId}
"""


def deployed(folder: Path, **files: str) -> Deployment:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_deployment([folder])


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("./network.yaml", "network_yaml"),
        ("inner/network.yaml", "inner__network_yaml"),
        ('!Sub "https://${Bucket}.s3.amazonaws.com/v1/network.yaml"', "network_yaml"),
        ("https://s3.amazonaws.com/bucket/app/inner/network.yaml", "inner__network_yaml"),
    ],
)
def test_a_nested_stack_is_looked_into_with_its_parameters_and_leads_back_by_its_outputs(
    tmp_path: Path, url: str, where: str
) -> None:
    found = deployed(tmp_path, main_yaml=PARENT.replace("HERE", url), **{where: NETWORK})
    assert list(found.stacks) == ["main/us-east-1", "main.Network/us-east-1"], "and it is no stack of its own"
    vpc = found.of_type("AWS::EC2::VPC")[0]
    assert vpc.get("CidrBlock") == "10.1.0.0/16"
    assert found.resource(found.of_type("AWS::EC2::SecurityGroup")[0].get("VpcId")) is vpc
    assert found.of_type("AWS::EC2::Subnet")[0].get("AvailabilityZone") == "us-east-1b"
    assert found.findings == []


def test_a_nested_stack_that_is_not_here_is_said_once_and_is_no_error(tmp_path: Path) -> None:
    found = deployed(tmp_path, main_yaml=PARENT.replace("HERE", "https://example.com/other.yaml"))
    assert [(item.rule, item.severity, item.resource) for item in found.findings] == [(RULE, "info", "Network")]
    assert "other.yaml" in found.findings[0].title


def test_a_template_that_holds_itself_ends(tmp_path: Path) -> None:
    a = PARENT.replace("HERE", "b.yaml").replace("Block: 10.1.0.0/16, ", "")
    found = deployed(tmp_path, a_yaml=a, b_yaml=a.replace("b.yaml", "a.yaml"))
    assert 0 < len(found.stacks) < 40
    assert any("too deeply" in item.title for item in found.findings)


def test_the_cdk_names_the_file_in_the_metadata(tmp_path: Path) -> None:
    parent = PARENT.replace("HERE", "!Join ['', ['https://s3.', !Ref AWS::URLSuffix, '/x/0f.json']]")
    metadata = "    Metadata: {aws:asset:path: net.nested.template.json}\n"
    parent = parent.replace("    Properties:\n      TemplateURL", f"{metadata}    Properties:\n      TemplateURL")
    network = {"Resources": {"Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}}}
    (tmp_path / "net.nested.template.json").write_text(json.dumps(network))
    found = deployed(tmp_path, main_yaml=parent)
    assert [item.logical_id for item in found.of_type("AWS::EC2::VPC")] == ["Vpc"]


def test_modules_of_a_section_and_of_the_registry_are_part_of_the_stack(tmp_path: Path) -> None:
    module = tmp_path / "net"
    (module / "fragments").mkdir(parents=True)
    (module / ".rpdk-config").write_text(json.dumps({"artifact_type": "MODULE", "typeName": "My::Net::Work::MODULE"}))
    (module / "fragments" / "net.yaml").write_text(NETWORK)
    (tmp_path / "module.yaml").write_text(NETWORK)
    found = deployed(
        tmp_path,
        main_yaml="""\
Modules:
  Own: {Source: module.yaml, Inputs: {Block: 10.2.0.0/16}}
Resources:
  Registered:
    Type: My::Net::Work::MODULE
    Properties: {Block: 10.3.0.0/16}
  One:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: a, VpcId: !GetAtt Own.VpcId}
  Two:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: b, VpcId: !Ref RegisteredVpc}
  Three:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: c, VpcId: !Ref Registered.Vpc}
""",
    )
    blocks = []
    for name in ("One", "Two", "Three"):
        vpc = found.resource(found.stacks["main/us-east-1"].resources[name].get("VpcId"))
        assert vpc is not None
        blocks.append(vpc.get("CidrBlock"))
    assert blocks == ["10.2.0.0/16", "10.3.0.0/16", "10.3.0.0/16"]
