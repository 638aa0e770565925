"""TLS 1.0 and 1.1 are broken, and the default policies of load balancers accepted them for years."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "old-tls-accepted",
    Severity.WARNING,
    "A listener accepts TLS 1.0 or 1.1",
    "Connections can be downgraded to what is broken; auditors refuse it.",
    "Set SslPolicy to ELBSecurityPolicy-TLS13-1-2-2021-06 or later.",
    ("AWS::ElasticLoadBalancingV2::Listener",),
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html",
)
_OLD = re.compile(r"ELBSecurityPolicy-(2015-05|2016-08|TLS-1-[01]|TLS13-1-[01]|FS-2018-06|FS-1-1)")


def look(case: Case) -> Iterator[Seen]:
    """Policies by name; none named is the old default of templates, 2016-08."""
    for listener in case.deployment.of_type("AWS::ElasticLoadBalancingV2::Listener"):
        policy = listener.get("SslPolicy", default="ELBSecurityPolicy-2016-08")
        if listener.get("Protocol") in ("HTTPS", "TLS") and isinstance(policy, str) and _OLD.match(policy):
            own = listener.get("SslPolicy") is not None
            text = (
                f"{listener.logical_id} takes connections by {policy}."
                if own
                else f"{listener.logical_id} names no SslPolicy, which means {policy}."
            )
            yield Hit(listener, text, ("SslPolicy",) if own else ())
