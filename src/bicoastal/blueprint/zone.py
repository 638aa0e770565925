"""The public hosted zone of the application's name: created here, or an existing one by its id.

It stands before everything else, because the certificates of both regions are validated in it. The records of the
application are in `names`, which may come and go while the registrar's delegation keeps pointing here.
"""

from __future__ import annotations

from dataclasses import dataclass

from bicoastal.blueprint.stack import Output, Stack
from bicoastal.cfn.intrinsics import Commented, Value, join
from bicoastal.spec.model import Spec

PARAMETER = "HostedZoneId"


@dataclass(frozen=True)
class Zone:
    """The zone to write records into; other stacks ask `id_for`."""

    existing_id: str | None
    """The spec's own zone; then there is nothing to create, and no stack."""
    stack: Stack | None
    created_id: Output | None

    def id_for(self, stack: Stack) -> Value:
        """The zone's id as a parameter of `stack`: wired to the zone's stack, or the spec's own value.

        A plain string: CloudFormation looks a typed zone id up at every change set, in Route 53's API, and recording
        the switch in `service` would wait for us-east-1 (D4).
        """
        if self.created_id is not None:
            return stack.input(self.created_id)
        return stack.setting(PARAMETER, self.existing_id or "", _DESCRIPTION)


_DESCRIPTION = "Public hosted zone of the application's name."


def zone(spec: Spec) -> Zone:
    """The hosted zone, created unless the spec has its id."""
    if spec.domain.zone_id is not None:
        return Zone(spec.domain.zone_id, None, None)
    stack = Stack(spec, "zone", f"Public hosted zone of {spec.domain.name}.", regions=(spec.home,), protected=True)
    hosted = stack.add(
        "HostedZone",
        "AWS::Route53::HostedZone",
        {
            "Name": spec.domain.name,
            "HostedZoneConfig": {"Comment": f"{spec.prefix}: delegate to its name servers at the registrar"},
            "HostedZoneFeatures": Commented(
                {"EnableAcceleratedRecovery": True},
                "Route 53's API lives in us-east-1. With this, records can be changed again about an hour after that "
                "region is lost, not only when it is back; it has to be on beforehand. The failover itself changes "
                "no record.",
            ),
        },
        comment="Kept when the stack is deleted: a new zone gets other name servers, and a delegation to a deleted "
        "one can be taken over by a stranger. Query logging is off: its log group can only be in us-east-1, whatever "
        "the home region is, and it would hold resolvers' addresses there (M2, M7).",
        retain=True,
    )
    stack.add(
        "CertificateAuthorities",
        "AWS::Route53::RecordSet",
        {
            "HostedZoneId": hosted.ref,
            "Name": spec.domain.name,
            "Type": "CAA",
            "TTL": "60",
            "ResourceRecords": ['0 issue "amazon.com"'],
        },
        comment="Nobody but AWS issues certificates for these names, whoever else is asked. Not in a zone that was "
        "there before: it may have a policy of its own.",
    )
    servers = join(" ", hosted.att("NameServers"))
    stack.output("NameServers", servers, "To enter at the registrar, or in the parent zone as NS.")
    return Zone(None, stack, stack.output(PARAMETER, hosted.ref, _DESCRIPTION))
