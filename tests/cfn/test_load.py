"""Deployments read from disk, and what is said of what cannot be read."""

from pathlib import Path

import pytest

from bicoastal.cfn.load import read_deployment
from bicoastal.cfn.manifest import Literal, Manifest, StackEntry
from bicoastal.core.errors import InputError

NETWORK = """\
Parameters:
  Block: {Type: String}
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: !Ref Block
"""


def manifest() -> Manifest:
    entries = [
        StackEntry(f"network/{region}", "n", "network.yaml", region, {"Block": Literal("10.0.0.0/16")})
        for region in ("us-east-1", "us-west-2")
    ]
    return Manifest("orders", "production", {"us-east-1": "home", "us-west-2": "standby"}, {}, tuple(entries))


def test_a_folder_that_synth_wrote_is_read_by_its_manifest(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(manifest().to_json())
    (tmp_path / "network.yaml").write_text(NETWORK)
    found = read_deployment([tmp_path])
    assert (found.home, found.standby, found.findings) == ("us-east-1", "us-west-2", [])
    vpc = found.stacks["network/us-west-2"].resources["Vpc"]
    assert (vpc.get("CidrBlock"), vpc.line(), vpc.line("CidrBlock")) == ("10.0.0.0/16", 4, 7)


def test_a_template_that_is_not_there_is_said_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(manifest().to_json())
    found = read_deployment([tmp_path])
    assert found.stacks == {}
    assert [finding.title for finding in found.findings] == ["no such file"]


def test_plain_files_take_their_regions_and_non_templates_are_skipped_aloud(tmp_path: Path) -> None:
    (tmp_path / "network.yaml").write_text(NETWORK)
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    found = read_deployment([tmp_path], {"network.yaml": "us-east-1,us-west-2"})
    assert list(found.stacks) == ["network/us-east-1", "network/us-west-2"]
    assert ["skipped" in finding.title for finding in found.findings] == [True]


@pytest.mark.parametrize("text", ["[]", "{}", "{", '{"version": 2}', '{"version": 1, "stacks": 3}'])
def test_a_broken_manifest_is_an_input_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match="not a manifest"):
        read_deployment([tmp_path])


def test_nothing_to_review_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no template here"):
        read_deployment([tmp_path])
