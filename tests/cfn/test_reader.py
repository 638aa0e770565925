"""Templates as read: long forms, positions, and what is no template."""

import pytest

from bicoastal.cfn.reader import long_form, parse_template

YAML = """\
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Arn: !GetAtt Other.Nested.Arn
      Names: !Split [",", !Join [",", [!Ref A, !Sub "${A}-b"]]]
      Inner:
        Fn::If: [HasA, !Ref A, !Ref "AWS::NoValue"]
"""


def test_short_forms_become_long_ones() -> None:
    template = parse_template(YAML, "a.yaml")
    properties = template.section("Resources")["Role"]["Properties"]
    assert properties["Arn"] == {"Fn::GetAtt": ["Other", "Nested.Arn"]}
    joined = {"Fn::Join": [",", [{"Ref": "A"}, {"Fn::Sub": "${A}-b"}]]}
    assert properties["Names"] == {"Fn::Split": [",", joined]}
    assert properties["Inner"] == {"Fn::If": ["HasA", {"Ref": "A"}, {"Ref": "AWS::NoValue"}]}
    assert template.findings == ()
    assert template.not_a_template == ""


def test_positions_lead_to_the_line_of_a_property() -> None:
    template = parse_template(YAML, "a.yaml")
    position = template.position(("Resources", "Role", "Properties", "Names"))
    assert position is not None
    assert (position.line, position.column) == (7, 7)


def test_json_is_read_alike() -> None:
    text = '{"Resources": {"A": {"Type": "AWS::SNS::Topic",\n "Properties": {"TopicName": {"Ref": "N"}}}}}'
    template = parse_template(text, "a.json")
    assert template.section("Resources")["A"]["Properties"] == {"TopicName": {"Ref": "N"}}
    position = template.position(("Resources", "A", "Properties"))
    assert position is not None
    assert position.line == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- a\n- b\n", "its top level is a list"),
        ("services:\n  web: {image: x}\n", "it has no section Resources"),
        ("Resources: [1]\n", "its section Resources is not a mapping"),
        ("Resources:\n  a: {b: c}\n", "nothing in its section Resources has a Type"),
        ("hello\n", "its top level is a plain text"),
    ],
)
def test_what_is_no_template_is_said_to_be_none(text: str, why: str) -> None:
    assert why in parse_template(text, "x.yaml").not_a_template


def test_an_unknown_function_is_reported_where_it_stands() -> None:
    template = parse_template("Resources:\n  A:\n    Type: T\n    Properties: !Reff B\n", "a.yaml")
    (finding,) = template.findings
    assert "!Reff is not a function of CloudFormation" in finding.title
    assert finding.location.position is not None
    assert finding.location.position.line == 4


def test_a_section_that_templates_do_not_have_is_reported() -> None:
    template = parse_template("Resources:\n  A: {Type: T}\nresources: {}\n", "a.yaml")
    assert [finding.title for finding in template.findings] == ["resources is not a section of a template"]


def test_long_form_refuses_what_is_no_function() -> None:
    with pytest.raises(ValueError, match="!Nope is not a function"):
        long_form("!Nope", "x")


def test_editing_leaves_the_original_alone() -> None:
    template = parse_template(YAML, "a.yaml")
    edited = template.edited(("Resources", "Role", "Properties", "Names", "Fn::Split", 0), ";")
    assert edited.section("Resources")["Role"]["Properties"]["Names"]["Fn::Split"][0] == ";"
    assert template.section("Resources")["Role"]["Properties"]["Names"]["Fn::Split"][0] == ","
    assert "Role" not in template.edited(("Resources", "Role"), ...).section("Resources")
