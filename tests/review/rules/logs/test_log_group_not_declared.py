"""A log group that its writer creates by itself has no retention: it keeps, and bills, for ever."""

from __future__ import annotations

from tests.support.findings import said

RULE = "log-group-not-declared"


def test_made_by_the_function_itself() -> None:
    (text,) = said(
        RULE,
        """
Function: {Type: AWS::Lambda::Function, Properties: {FunctionName: work}}
""",
    )
    assert text.startswith("warning: Function writes its log to /aws/lambda/work, which nothing in us-east-1 declares.")


def test_declared() -> None:
    assert (
        said(
            RULE,
            """
Function: {Type: AWS::Lambda::Function, Properties: {FunctionName: work}}
Log: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /aws/lambda/work}}
""",
        )
        == []
    )


def test_declared_by_what_it_is_called() -> None:
    assert (
        said(
            RULE,
            """
Function: {Type: AWS::Lambda::Function, Properties: {}}
Log: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Sub "/aws/lambda/${Function}"}}
""",
        )
        == []
    )
