"""Everything that the twin's AWS API has beyond ministack's, one module for each service."""

from __future__ import annotations

from bicoastal.twin.cloud import registry
from bicoastal.twin.cloud.handlers import ec2, network_acls


def install() -> None:
    """Put types, actions and checks in place; once, before the first request."""
    for module in (ec2, network_acls):
        for kind in module.TYPES:
            registry.register(kind)
    registry.ec2_actions({**ec2.ACTIONS, **network_acls.ACTIONS})
    registry.extend("AWS::EC2::Route", before=ec2.check_route)
    registry.check_everything()
