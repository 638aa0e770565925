"""Changes that look like a fault and are none: each was a false alarm in somebody's template, and must stay silent."""

from __future__ import annotations

from bench.faults.base import trust
from bench.faults.fault import Fault

TWINS: tuple[Fault, ...] = (
    # A service may be named with its region.
    Fault("role-not-assumable", {("east", "Role", "AssumeRolePolicyDocument"): trust("ec2.us-east-1.amazonaws.com")}),
    # A load balancer answers on its listeners' ports alone.
    Fault(
        "administration-open-to-the-world",
        {
            ("east", "BalancerGroup", "SecurityGroupIngress"): [
                {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"},
            ]
        },
    ),
    # Set back to the largest size, a fleet under load loses nothing.
    Fault("desired-capacity-undoes-scaling", {("east", "Fleet", "DesiredCapacity"): "6"}),
)
"""By the rule that said something."""
