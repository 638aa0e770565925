"""Which health checks of a stack say what their endpoints do by now, and which have not been probed often enough.

Route 53 does not tell a check's state, only each checker's last probe: so a checker has made up its mind when as many
probes in a row as the check's threshold said the same. Counting probes by their times needs no clock of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.aws.waiting import Waiter
from bicoastal.core.errors import SystemFault

DEADLINE_S = 240.0
_CHECK = "AWS::Route53::HealthCheck"
_PROBED = frozenset({"HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP"})
_HEALTHY_SHARE = 0.18
"""Route 53 takes an endpoint for healthy while more than this share of its checkers does."""


@dataclass
class Probed:
    """What the checkers said of one check, while we looked."""

    id: str
    logical_id: str
    threshold: int
    inverted: bool
    streaks: dict[str, tuple[str, int, bool]] = field(default_factory=dict)
    """By checker: the time of its last probe, how many in a row said the same, and what."""

    def see(self, observations: Sequence[Mapping[str, Any]]) -> None:
        """Count what is new."""
        for item in observations:
            report = item.get("StatusReport", {})
            time, success = str(report.get("CheckedTime", "")), str(report.get("Status", "")).startswith("Success")
            checker = f"{item.get('Region', '')} {item.get('IPAddress', '')}"
            last, count, said = self.streaks.get(checker, ("", 0, success))
            if time and time != last:
                self.streaks[checker] = (time, count + 1 if said == success else 1, success)

    @property
    def settled(self) -> bool:
        """Whatever those say that have not made up their minds yet, the check stays what it is.

        More than half is not enough: an inverted check is unhealthy while a fifth of its checkers takes the endpoint
        for healthy, as all of them do at first.
        """
        said = [success for _, count, success in self.streaks.values() if count >= self.threshold]
        enough = _HEALTHY_SHARE * len(self.streaks)
        open_ = len(self.streaks) - len(said)
        return bool(said) and (sum(said) > enough or sum(said) + open_ <= enough)

    @property
    def answers(self) -> bool:
        """The endpoint does what the check looks for."""
        sure = [said for _, count, said in self.streaks.values() if count >= self.threshold]
        return sum(sure) > _HEALTHY_SHARE * len(sure)

    @property
    def healthy(self) -> bool:
        """What records see."""
        return self.answers != self.inverted


def probed_checks(session: Session, stack: str, region: str) -> list[Probed]:
    """The stack's checks that probe an endpoint: those that calculate or listen to an alarm follow at once."""
    route53 = session.client("route53", region)
    found = []
    with aws_faults("reading the health checks"):
        pages = session.client("cloudformation", region).get_paginator("list_stack_resources").paginate(StackName=stack)
        for item in (item for page in pages for item in page["StackResourceSummaries"]):
            if item["ResourceType"] != _CHECK:
                continue
            answer = route53.get_health_check(HealthCheckId=item["PhysicalResourceId"])
            config = answer["HealthCheck"]["HealthCheckConfig"]
            if config["Type"] in _PROBED and not config.get("Disabled", False):
                found.append(
                    Probed(
                        item["PhysicalResourceId"],
                        item["LogicalResourceId"],
                        int(config.get("FailureThreshold", 3)),
                        bool(config.get("Inverted", False)),
                    )
                )
    return found


def watch(session: Session, region: str, checks: Sequence[Probed], deadline_s: float = DEADLINE_S) -> None:
    """Look until every check has settled. Raises SystemFault, naming those that have not, at the deadline."""
    route53 = session.client("route53", region)
    try:
        for _ in Waiter(deadline_s, "waiting for health checks"):
            for check in checks:
                if not check.settled:
                    with aws_faults(f"asking for the state of the health check {check.logical_id}"):
                        answer = route53.get_health_check_status(HealthCheckId=check.id)
                    check.see(answer["HealthCheckObservations"])
            if all(check.settled for check in checks):
                return
    except ApiFault:
        raise
    except SystemFault as fault:
        late = ", ".join(
            f"{check.logical_id} ({'no probe was seen' if not check.streaks else 'its probes disagree'})"
            for check in checks
            if not check.settled
        )
        raise SystemFault(
            f"{late}: the health checks had not settled after {deadline_s:.0f} s.\n"
            "    -> Run the same command again: it goes on waiting. If it lasts, look at the check in the Route 53 "
            "console: its checkers may be kept out by a firewall rule."
        ) from fault
