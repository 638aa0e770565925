"""Query parameters are documents on the way in, and documents are XML on the way out."""

from __future__ import annotations

from bicoastal.twin.cloud.answers import Items, Repeated, flatten, unflatten, xml


def test_query_parameters_become_a_document() -> None:
    assert unflatten({
        "Action": ["DescribeNetworkAcls"],
        "Filter.1.Name": ["vpc-id"], "Filter.1.Value.1": ["vpc-1"], "Filter.1.Value.2": ["vpc-2"],
        "NetworkAclId.1": ["acl-1"],
    }) == {
        "Action": "DescribeNetworkAcls",
        "Filter": [{"Name": "vpc-id", "Value": ["vpc-1", "vpc-2"]}],
        "NetworkAclId": ["acl-1"],
    }  # fmt: skip


def test_the_names_of_list_wrappers_go() -> None:
    assert unflatten({"AutoScalingGroupNames.member.1": "a", "AutoScalingGroupNames.member.2": "b"}) == {
        "AutoScalingGroupNames": ["a", "b"]
    }


def test_a_list_keeps_its_order_beyond_nine() -> None:
    parameters = {f"Id.{number}": str(number) for number in range(1, 13)}
    assert unflatten(parameters)["Id"] == [str(number) for number in range(1, 13)]


def test_a_document_becomes_query_parameters() -> None:
    given = {
        "GroupId": "sg-1",
        "IpPermissions": [{"FromPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
        "Dry": False,
    }
    assert flatten(given, "") == {
        "GroupId": "sg-1",
        "IpPermissions.1.FromPort": "1",
        "IpPermissions.1.IpRanges.1.CidrIp": "10.0.0.0/8",
        "Dry": "false",
    }
    assert flatten({"Names": ["a"]}, "member") == {"Names.member.1": "a"}


def test_a_document_becomes_xml() -> None:
    assert xml({"a": [1, True], "b": Items("member", ["<"]), "c": Repeated([{"d": 1}, {"d": 2}]), "e": None}) == (
        "<a><item>1</item><item>true</item></a><b><member>&lt;</member></b><c><d>1</d></c><c><d>2</d></c>"
    )
