"""An identifier is looked for in the replica's own region; only an ARN says another one."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "replica-source-without-arn",
    Severity.ERROR,
    "A replica names a source of another region without its ARN",
    "RDS looks in the wrong region and finds nothing: the replica cannot be created.",
    "Give SourceDBInstanceIdentifier the ARN of the source.",
    ("AWS::RDS::DBInstance",),
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReadRepl.XRgn.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Sources that are here, in another region, by what the value is when it is spelled out."""
    for item in case.deployment.of_type("AWS::RDS::DBInstance"):
        value = item.get("SourceDBInstanceIdentifier")
        source = case.source(item)
        if source is None or source.region == item.region:
            continue
        spelled = case.deployment.spelled(value)
        by_name = case.deployment.spelled(case.deployment.name(source) or "")
        if spelled == by_name or spelled == str(source.reference):
            text = f"{item.logical_id} of {item.region} copies {spelled}, which stands in {source.region}."
            yield Hit(item, text, ("SourceDBInstanceIdentifier",))
