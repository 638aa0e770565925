"""Loops of AWS::LanguageExtensions."""

from bicoastal.cfn.deployment import Deployment
from bicoastal.cfn.reader import parse_template

TEMPLATE = """\
Transform: AWS::LanguageExtensions
Parameters:
  Letters: {Type: CommaDelimitedList, Default: "A,B"}
Resources:
  Fn::ForEach::Topics:
    - Letter
    - !Ref Letters
    - Topic${Letter}:
        Type: AWS::SNS::Topic
        Properties:
          TopicName: !Sub "orders-${Letter}"
          DisplayName: !Ref Letter
  Fn::ForEach::Outer:
    - Address
    - [10.0.0.1]
    - Fn::ForEach::Inner:
        - Kind
        - [x, y]
        - "Q&{Address}${Kind}": {Type: AWS::SQS::Queue}
"""


def test_loops_are_written_out_with_the_line_they_came_from() -> None:
    deployment = Deployment.of_files([(parse_template(TEMPLATE, "t.yaml"), "us-east-1")])
    found = {item.logical_id: item for item in deployment.resources}
    assert sorted(found) == ["Q10001x", "Q10001y", "TopicA", "TopicB"]
    assert found["TopicB"].properties == {"TopicName": "orders-B", "DisplayName": "B"}
    assert found["TopicB"].line() == 8


def test_a_loop_over_the_unknown_is_left_out() -> None:
    text = TEMPLATE.replace(', Default: "A,B"', "")
    deployment = Deployment.of_files([(parse_template(text, "t.yaml"), "us-east-1")])
    assert sorted(item.logical_id for item in deployment.resources) == ["Q10001x", "Q10001y"]
