"""A bucket is private unless somebody opens it."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import same

RULE = Rule(
    "bucket-open-to-the-public",
    Severity.ERROR,
    "A bucket lets the public in",
    "What lies in it, releases or backups, can be read by anybody.",
    "Set all four of PublicAccessBlockConfiguration to true.",
    ("AWS::S3::Bucket",),
    "https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html",
)
_BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def look(case: Case) -> Iterator[Seen]:
    """Buckets that say so; where nothing is said, AWS's own default blocks since April 2023."""
    for item in case.deployment.of_type("AWS::S3::Bucket"):
        acl = item.get("AccessControl")
        if acl in ("PublicRead", "PublicReadWrite"):
            yield Hit(item, f"{item.logical_id} is {acl}.", ("AccessControl",))
            continue
        off = [name for name in _BLOCKS if same(item.get("PublicAccessBlockConfiguration", name), False)]
        if off and item.get("WebsiteConfiguration") is None:
            text = f"{item.logical_id} switches {', '.join(off)} off."
            yield Hit(item, text, ("PublicAccessBlockConfiguration", off[0]))
