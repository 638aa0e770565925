"""Parameters that are chosen from what the account offers (zones, images) or from what is shipped (artifacts).

Zones and images are chosen once and kept: a network does not move because AWS opened a zone, and a fleet is not
replaced because AWS published an image. Artifacts follow what is shipped: that is what a deploy is for.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.cfn.manifest import Chosen
from bicoastal.core.errors import Refused, SystemFault
from bicoastal.deploy.package import Artifact

ZONES = "zones-offering"
IMAGE = "image"
ARTIFACT = "artifact"


class Choices:
    """Makes each choice once; shared by threads."""

    def __init__(self, session: Session, artifacts: Mapping[str, Artifact], *, new_image: bool = False) -> None:
        """`new_image`: boot the newest image from now on, instead of the one that was chosen before."""
        self._session = session
        self._artifacts = artifacts
        self._new_image = new_image
        self._made: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def choose(self, choice: Chosen, region: str, before: str | None) -> str:
        """The value for a parameter. Raises Refused where the account offers too little, SystemFault without answer."""
        kind, _, what = choice.chooser.partition(":")
        keeps = kind == ZONES or (kind == IMAGE and before != choice.default and not self._new_image)
        if before is not None and keeps:
            return before
        with self._lock:
            key = (choice.chooser, region)
            if key not in self._made:
                self._made[key] = self._make(kind, what, choice, region)
            return self._made[key]

    def _make(self, kind: str, what: str, choice: Chosen, region: str) -> str:
        match kind:
            case "zones-offering":
                return ",".join(zones_offering(self._session, region, what, len(choice.default.split(","))))
            case "image":
                return newest_image(self._session, region, what)
            case "artifact":
                if what not in self._artifacts:
                    raise SystemFault(f"The manifest asks for the artifact {what!r}, which this version does not ship.")
                return self._artifacts[what].version
        raise SystemFault(
            f"The manifest asks for the choice {choice.chooser!r}, which this version cannot make.\n"
            "    -> Deploy it with the version that wrote it, or write it anew with `bicoastal synth`."
        )


def zones_offering(session: Session, region: str, instance_type: str, count: int) -> tuple[str, ...]:
    """The first `count` zones, by name, that offer the type to the account. Refused if there are fewer."""
    client = session.client("ec2", region)
    with aws_faults(f"asking which zones of {region} offer {instance_type}"):
        usable = {
            zone["ZoneName"]
            for zone in client.describe_availability_zones(
                Filters=[
                    {"Name": "zone-type", "Values": ["availability-zone"]},
                    {"Name": "state", "Values": ["available"]},
                ]
            )["AvailabilityZones"]
        }
        pages = client.get_paginator("describe_instance_type_offerings").paginate(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": [instance_type]}]
        )
        offering = {offer["Location"] for page in pages for offer in page["InstanceTypeOfferings"]}
    found = sorted(usable & offering)
    if len(found) < count:
        raise Refused(
            f"{region}: {len(found)} Availability Zones offer {instance_type} to this account"
            f" ({', '.join(found) or 'none'}); {count} are wanted.\n"
            f"    -> Set regions.{region}.availability_zones to {max(len(found), 2)}, or choose another instances.type."
        )
    return tuple(found[:count])


def newest_image(session: Session, region: str, parameter: str) -> str:
    """The image that a public parameter names now."""
    with aws_faults(f"asking for the newest image ({parameter}) in {region}"):
        answer = session.client("ssm", region).get_parameter(Name=parameter)
    return str(answer["Parameter"]["Value"])
