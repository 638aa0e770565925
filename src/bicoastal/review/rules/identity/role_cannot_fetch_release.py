"""An instance that fetches what it runs must be allowed to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.rights import allowed
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "role-cannot-fetch-release",
    Severity.ERROR,
    "Instances may not fetch what their user data downloads",
    "New instances start empty: the fleet cannot grow, and cannot replace what fails.",
    "Allow s3:GetObject on the bucket's objects.",
    ("AWS::AutoScaling::AutoScalingGroup",),
    "https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-policies-s3.html",
)
_FETCHED = re.compile(r"\bs3 (?:cp|sync|mv) [\"']?s3://([^/\s\"']+)/?(\S*)")


def look(case: Case) -> Iterator[Seen]:
    """Buckets that `aws s3 cp` names, known to the letter."""
    for region in case.deployment.regions:
        for fleet in case.fleets(region):
            if fleet.role is None or fleet.machine is None:
                continue
            for bucket, key in dict.fromkeys(_FETCHED.findall(fleet.machine.everything)):
                name = key.strip("\"'") or "any"
                arn = f"arn:aws:s3:::{bucket}/{name}"
                if "$" in arn or "*" in arn:
                    continue
                if allowed(case.deployment, case.identities, fleet.role, "s3:GetObject", arn) is False:
                    text = (
                        f"User data fetches s3://{bucket}/{key}, and {fleet.role.logical_id} may not s3:GetObject it."
                    )
                    yield Hit(fleet.role, text)
