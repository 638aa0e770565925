"""What the writer writes is what PyYAML reads back, whatever the values are; and it looks as people write templates."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bicoastal.cfn.emit import to_yaml
from bicoastal.cfn.intrinsics import Commented, att, base64, if_, join, ref, strip_comments, sub


class _LongForms(yaml.CSafeLoader):
    """Reads short forms back into long ones, as CloudFormation does."""


def _long(loader: yaml.CSafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt":
        return {"Fn::GetAtt": value.split(".", 1)}
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_LongForms.add_multi_constructor("!", _long)


def read(text: str) -> Any:
    return yaml.load(text, _LongForms)


def test_reads_like_a_template_that_a_person_wrote() -> None:
    text = to_yaml(
        {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Resources": {
                "Network": Commented(
                    {
                        "Type": "AWS::EC2::VPC",
                        "Properties": {
                            "CidrBlock": ref("VpcCidr"),
                            "EnableDnsSupport": True,
                            "Tags": [{"Key": "cost-center", "Value": "4711"}],
                        },
                    },
                    "One network a region.",
                ),
                "Gateway": {
                    "Type": "AWS::EC2::NatGateway",
                    "Properties": {
                        "AllocationId": att("Address", "AllocationId"),
                        "MaxDrain": Commented(350, "Seconds."),
                        "UserData": base64(sub("line one\nline ${two}\n")),
                        "Either": if_("HasZoneC", join(",", [ref("A"), "b"]), ref("C")),
                    },
                },
            },
        },
        header="orders",
    )
    assert (
        text
        == """\
# orders
AWSTemplateFormatVersion: "2010-09-09"

Resources:
  # One network a region.
  Network:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: !Ref VpcCidr
      EnableDnsSupport: true
      Tags:
        - {Key: cost-center, Value: "4711"}

  Gateway:
    Type: AWS::EC2::NatGateway
    Properties:
      AllocationId: !GetAtt Address.AllocationId
      # Seconds.
      MaxDrain: 350
      UserData:
        Fn::Base64: !Sub |
          line one
          line ${two}
      Either: !If
        - HasZoneC
        - !Join
          - ","
          - [!Ref A, b]
        - !Ref C
"""
    )
    assert read(text)["Resources"]["Gateway"]["Properties"]["UserData"] == {
        "Fn::Base64": {"Fn::Sub": "line one\nline ${two}\n"}
    }


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
intrinsics = st.builds(ref, keys) | st.builds(sub, texts) | st.builds(base64, st.builds(sub, texts))
values = st.recursive(
    scalars | intrinsics,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(keys, inner)
        | st.builds(if_, keys, inner, inner)
        | st.builds(Commented, inner, st.text(alphabet=st.characters(codec="ascii", categories=["L", "P", "Zs"])))
    ),
    max_leaves=20,
)


@given(st.dictionaries(keys, values, min_size=1))
@settings(max_examples=50)
def test_what_is_written_is_what_is_read(document: dict[str, Any]) -> None:
    assert read(to_yaml(document)) == strip_comments(document)
    assert read(to_yaml({"Resources": document})) == {"Resources": strip_comments(document)}


@given(st.dictionaries(keys, values, min_size=1))
@settings(max_examples=50)
def test_comments_change_nothing(document: dict[str, Any]) -> None:
    assert read(to_yaml(document)) == read(to_yaml(strip_comments(document)))
