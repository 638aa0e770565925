"""A name that nothing bears: the template is refused, or was changed half."""

from __future__ import annotations

from tests.support.findings import said

RULE = "reference-leads-nowhere"


def test_a_name_of_nobody() -> None:
    (text,) = said(RULE, "Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref Nobody}}")
    assert text.startswith("error: Topic: nothing here is called Nobody.")


def test_a_macro_may_add_it() -> None:
    assert (
        said(
            RULE,
            "Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref Nobody}}",
            head="Transform: AWS::Serverless-2016-10-31",
        )
        == []
    )


def test_a_module_may_add_it() -> None:
    assert (
        said(
            RULE,
            "Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref NetName}}\nNet: {Type: Our::Own::Net::MODULE}",
        )
        == []
    )
