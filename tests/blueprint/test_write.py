"""A deployment is written whole or not at all, and never over anybody's files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bicoastal.blueprint.stack import Stack
from bicoastal.blueprint.stacks import Deployment
from bicoastal.blueprint.write import write_deployment
from bicoastal.cfn.intrinsics import ref
from bicoastal.core.errors import Refused, SystemFault
from tests.support.specs import spec


def deployment(*kinds: str) -> Deployment:
    stacks = []
    for kind in kinds:
        stack = Stack(spec(), kind, f"a {kind}")
        stack.setting("Cidr", {"us-east-1": "10.1.0.0/16", "us-west-2": "10.2.0.0/16"}, "Addresses")
        stack.add("Vpc", "AWS::EC2::VPC", {"CidrBlock": ref("Cidr")})
        stacks.append(stack)
    return Deployment(spec(), tuple(stacks), {"scp.json": "{}\n"})


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_writes_templates_parameters_policies_and_the_manifest(tmp_path: Path) -> None:
    write_deployment(deployment("network"), tmp_path / "out")
    files = contents(tmp_path / "out")
    assert set(files) == {
        "manifest.json",
        "parameters/us-east-1/network.json",
        "parameters/us-west-2/network.json",
        "policies/scp.json",
        "templates/network.yaml",
    }
    assert json.loads(files["parameters/us-west-2/network.json"])["Parameters"] == {"Cidr": "10.2.0.0/16"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "nothing is left beside the folder"


def test_what_an_earlier_synth_wrote_is_replaced_whole(tmp_path: Path) -> None:
    write_deployment(deployment("network", "database"), tmp_path / "out")
    write_deployment(deployment("network"), tmp_path / "out")
    assert "templates/database.yaml" not in contents(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_somebodys_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(Refused, match=r"was not written by synth.*--output"):
        write_deployment(deployment("network"), tmp_path)
    assert contents(tmp_path) == {"notes.txt": "mine"}


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(Refused, match="is a file"):
        write_deployment(deployment("network"), tmp_path / "out")


def test_a_disk_that_refuses_leaves_what_was_there(tmp_path: Path) -> None:
    """The parent is a file, so nothing can be made in it, for root as well."""
    (tmp_path / "parent").write_text("a file")
    with pytest.raises(SystemFault, match="cannot be written"):
        write_deployment(deployment("network"), tmp_path / "parent" / "out")
    assert contents(tmp_path) == {"parent": "a file"}
