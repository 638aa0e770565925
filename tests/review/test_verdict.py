"""How evidence, gaps and doubts come to a verdict."""

import pytest

from bicoastal.review.verdict import Judgement, Verdict, number, same
from tests.support.templates import deployment_of, resource

TOPIC = """
  Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: "5", FifoTopic: "true", Other: !Ref Nothing}}
"""


@pytest.mark.parametrize(
    ("found", "lacks", "unsure", "verdict"),
    [
        (True, False, False, Verdict.DELIVERED),
        (True, True, False, Verdict.PARTLY),
        (True, True, True, Verdict.PARTLY),
        (False, True, False, Verdict.MISSING),
        (True, False, True, Verdict.UNKNOWN),
        (False, False, False, Verdict.UNKNOWN),
    ],
)
def test_verdicts(*, found: bool, lacks: bool, unsure: bool, verdict: Verdict) -> None:
    judgement = Judgement()
    if found:
        judgement.found(resource(deployment_of(TOPIC), "Topic"), "a topic")
    if lacks:
        judgement.lacks("something")
    if unsure:
        judgement.unsure("something")
    assert judgement.verdict is verdict


def test_expectations_read_values_as_cloudformation_does() -> None:
    topic = resource(deployment_of(TOPIC), "Topic")
    judgement = Judgement()
    assert judgement.expect(topic, ("DisplayName",), 5, "not 5")
    assert judgement.expect(topic, ("FifoTopic",), True, "not first in, first out", "in order")
    assert not judgement.expect(topic, ("KmsMasterKeyId",), "key", "no key")
    assert not judgement.expect(topic, ("Other",), "x", "no x")
    assert judgement.missing == ["us-east-1 Topic: no key."]
    assert judgement.doubts == ["us-east-1 Topic: no x: cannot be told: nothing here is called Nothing."]
    assert [(item.text, item.line) for item in judgement.evidence] == [("in order", 3)]


def test_a_gap_is_said_once() -> None:
    judgement = Judgement()
    judgement.lacks("a")
    judgement.lacks("a")
    assert judgement.missing == ["a"]


def test_numbers_and_truths() -> None:
    assert number("1.5") == 1.5
    assert number(True) is None
    assert number("x") is None
    assert same("TRUE", True)
    assert not same("yes", True)
    assert not same(None, False)
