"""What expressions evaluate to: known, a reference, or unknown with the reason."""

from functools import partial
from typing import Any

import pytest

from bicoastal.cfn.reader import parse_template
from bicoastal.cfn.resolve import Evaluator
from bicoastal.cfn.values import ACCOUNT, NO_VALUE, Encoded, Reference, Text, Unknown, references

TEMPLATE = """\
Parameters:
  Name: {Type: String, Default: orders}
  Subnets: {Type: "List<AWS::EC2::Subnet::Id>"}
  Count: {Type: Number, Default: 3}
  Nothing: {Type: String}
  Role: {Type: String, Default: primary, AllowedValues: [primary, replica]}
Mappings:
  ByRegion:
    us-east-1: {Ami: ami-east, Zones: [a, b]}
Conditions:
  IsPrimary: !Equals [!Ref Role, primary]
  IsEast: !Equals [!Ref "AWS::Region", us-east-1]
  Both: !And [!Condition IsPrimary, !Condition IsEast]
  Neither: !Not [!Or [!Condition IsPrimary, !Condition IsEast]]
  Open: !Equals [!Ref Nothing, x]
  OpenButFalse: !And [!Condition Open, !Condition Neither]
  OpenButTrue: !Or [!Condition Open, !Condition IsPrimary]
  Circle: !Condition Circle
Resources:
  Bucket: {Type: AWS::S3::Bucket}
  Absent: {Type: AWS::S3::Bucket, Condition: Neither}
"""


def evaluator(region: str = "us-east-1", absent: frozenset[str] = frozenset(), **given: Any) -> Evaluator:
    return Evaluator(
        parse_template(TEMPLATE, "t.yaml"),
        stack="app/here",
        stack_name="orders-app",
        region=region,
        parameters={name: partial(given.__getitem__, name) for name in given},
        absent=absent,
    )


def ref(name: str) -> dict[str, Any]:
    return {"Ref": name}


BUCKET = Reference("app/here", "Bucket")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (ref("Name"), "orders"),
        (ref("AWS::Region"), "us-east-1"),
        (ref("AWS::AccountId"), ACCOUNT),
        (ref("Bucket"), BUCKET),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, Reference("app/here", "Bucket", "Arn")),
        ({"Fn::Sub": "${Name}-${AWS::Region}-${!Literal}"}, "orders-us-east-1-${Literal}"),
        ({"Fn::Sub": ["${a}/${Name}", {"a": {"Ref": "Count"}}]}, "3/orders"),
        ({"Fn::Sub": "${Bucket}"}, BUCKET),
        ({"Fn::Sub": "x-${Bucket.Arn}/*"}, Text(("x-", Reference("app/here", "Bucket", "Arn"), "/*"))),
        ({"Fn::Join": ["-", ["a", ref("AWS::NoValue"), ref("Name")]]}, "a-orders"),
        ({"Fn::Join": [":", ["", "b"]]}, ":b"),
        ({"Fn::Select": [1, {"Fn::Split": [",", "a,b,c"]}]}, "b"),
        ({"Fn::Select": ["0", ["x", "y"]]}, "x"),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}, ["10.0.0.0/24", "10.0.1.0/24"]),
        ({"Fn::Select": [1, {"Fn::Cidr": ["10.0.0.0/16", 4, 12]}]}, "10.0.16.0/20"),
        ({"Fn::FindInMap": ["ByRegion", ref("AWS::Region"), "Ami"]}, "ami-east"),
        ({"Fn::FindInMap": ["ByRegion", "x", "Ami", {"DefaultValue": "none"}]}, "none"),
        ({"Fn::If": ["IsPrimary", "yes", "no"]}, "yes"),
        ({"Fn::If": ["Neither", "yes", ref("AWS::NoValue")]}, NO_VALUE),
        ({"Fn::Length": [1, 2]}, 2),
        ({"Fn::ToJsonString": {"a": [1, True]}}, '{"a":[1,true]}'),
        ({"Fn::Base64": "hello"}, Encoded("hello")),
        ({"A": ref("AWS::NoValue"), "B": 1}, {"B": 1}),
        ([ref("AWS::NoValue"), 1], [1]),
    ],
)
def test_expressions(expression: Any, value: Any) -> None:
    assert evaluator().value(expression) == value


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        (ref("Nothing"), "parameter Nothing has no default"),
        (ref("Nowhere"), "nothing here is called Nowhere"),
        (ref("Absent"), "condition Neither does not hold"),
        ({"Fn::FindInMap": ["ByRegion", "x", "Ami"]}, "has nothing at x, Ami"),
        ({"Fn::ImportValue": "x"}, "nothing here exports x"),
        ({"Fn::Select": [5, ["a"]]}, "item 5 of a list of 1"),
        ({"Fn::Cidr": ["10.0.0.0/24", 4, 8]}, "has no 4 sub-blocks"),
        ({"Fn::Cidr": ["nonsense", 4, 8]}, "cannot cut"),
        ({"Fn::If": ["Open", 1, 2]}, "condition Open cannot be decided"),
        ({"Fn::Join": 3}, "a list of two"),
        ({"Fn::GetAtt": 3}, "Fn::GetAtt takes"),
        ({"Fn::Transform": {"Name": "AWS::Include"}}, "AWS::Include rewrites this"),
    ],
)
def test_what_cannot_be_known_says_why(expression: Any, reason: str) -> None:
    value = evaluator().value(expression)
    assert isinstance(value, Unknown)
    assert reason in value.reason


def test_an_undecided_if_keeps_both_branches() -> None:
    value = evaluator().value({"Fn::If": ["Open", ref("Bucket"), "b"]})
    assert value.options == (BUCKET, "b")
    assert [reference for _, reference in references(value)] == [BUCKET]


@pytest.mark.parametrize(
    ("condition", "region", "role", "held"),
    [
        ("Both", "us-east-1", "primary", True),
        ("Both", "us-west-2", "primary", False),
        ("Neither", "us-west-2", "replica", True),
        ("OpenButFalse", "us-east-1", "primary", False),
        ("OpenButTrue", "us-east-1", "primary", True),
    ],
)
def test_conditions(condition: str, region: str, role: str, *, held: bool) -> None:
    assert evaluator(region, Role=role).condition(condition) is held


def test_a_condition_that_depends_on_itself_is_unknown() -> None:
    held = evaluator().condition("Circle")
    assert isinstance(held, Unknown)
    assert "depends on itself" in held.reason


def test_a_chain_of_conditions_without_end_is_unknown() -> None:
    links = "".join(f"  C{number}: !Condition C{number + 1}\n" for number in range(3000))
    text = f"Conditions:\n{links}  C3000: !Equals [a, a]\nResources:\n  A: {{Type: AWS::SNS::Topic}}\n"
    chained = Evaluator(parse_template(text, "t.yaml"), stack="s", stack_name="s", region="us-east-1")
    assert chained.condition("C2990") is True
    assert isinstance(chained.condition("C0"), Unknown)


def test_list_parameters_are_cut_around_references() -> None:
    given = Text((Reference("network", "A"), ",", Reference("network", "B")))
    assert evaluator(Subnets=given).value(ref("Subnets")) == [Reference("network", "A"), Reference("network", "B")]


def test_an_id_is_never_empty_and_otherwise_undecided() -> None:
    def held(expression: Any) -> Any:
        return evaluator(Nothing=Reference("x", "Y")).holds(expression)

    assert held({"Fn::Equals": [ref("Nothing"), ""]}) is False
    assert held({"Fn::Equals": [ref("Nothing"), ref("Nothing")]}) is True
    assert isinstance(held({"Fn::Equals": [ref("Nothing"), "vpc-1"]}), Unknown)


def test_what_is_absent_takes_every_mention_with_it() -> None:
    without = evaluator(absent=frozenset({"Bucket"}))
    assert without.value({"A": ref("Bucket"), "B": {"Fn::Sub": "${Bucket.Arn}/*"}, "C": [ref("Bucket"), 1]}) == {
        "C": [1]
    }


def test_another_value_of_a_parameter_leaves_this_one_alone() -> None:
    now = evaluator()
    assert now.with_parameter("Role", "replica").condition("IsPrimary") is False
    assert now.condition("IsPrimary") is True


def test_nesting_without_end_is_unknown_not_a_crash() -> None:
    node: Any = "x"
    for _ in range(5000):
        node = {"Fn::Select": [0, [node]]}
    assert isinstance(evaluator().value(node), Unknown)


def test_what_is_made_of_an_undecided_value_has_its_options_made_the_same_way() -> None:
    undecided = {"Fn::If": ["Open", ["a", "b"], ["c"]]}
    for expression, options in (
        ({"Fn::Join": ["-", undecided]}, ("a-b", "c")),
        ({"Fn::Select": [0, undecided]}, ("a", "c")),
        ({"Fn::Select": [{"Fn::If": ["Open", 1, 0]}, ["x", "y"]]}, ("y", "x")),
        ({"Fn::Split": [",", {"Fn::If": ["Open", "p,q", "r"]}]}, (["p", "q"], ["r"])),
        ({"Fn::FindInMap": ["ByRegion", {"Fn::If": ["Open", "us-east-1", "us-east-1"]}, "Ami"]}, ("ami-east",) * 2),
    ):
        found = evaluator().value(expression)
        assert isinstance(found, Unknown)
        assert found.options == options


def test_options_do_not_multiply_without_end() -> None:
    expression: Any = ["a", "b"]
    for _ in range(40):
        index = {"Fn::If": ["Open", 0, 1]}
        expression = [{"Fn::Select": [index, expression]}, {"Fn::If": ["Open", "c", "d"]}]
    assert isinstance(evaluator().value(expression)[0], Unknown)
