"""Lets each VPC resolve the other's names to private addresses: CloudFormation has no such option for a peering (M6).

Without it a public name of the other side resolves to a public address, and traffic that should stay private does not.
RDS's endpoints resolve privately either way.
"""

from __future__ import annotations

from bicoastal.aws.faults import aws_faults
from bicoastal.deploy.moments import End
from bicoastal.deploy.package import Package
from bicoastal.deploy.run import Run, Step

NAME = "names across the peering"
_OUTPUT = "PeeringId"
_OPTION = "AllowDnsResolutionFromRemoteVpc"


def peering_names(package: Package) -> list[Step]:
    """One step, where both regions have routes to the other; a peering that nothing may cross needs no names."""
    after = package.entries("peering")
    return [Step(NAME, after, (), _set)] if len(after) > 1 else []


def _set(run: Run) -> End:
    """Each side has its own option, and only its own region may set it."""
    entries = run.package.entries("peering")
    connection = next(value for entry in entries if (value := run.done(entry).outputs.get(_OUTPUT)))
    done = End.UNCHANGED
    for entry in entries:
        client = run.session.client("ec2", entry.region)
        with aws_faults(f"reading the peering connection {connection} in {entry.region}"):
            found = client.describe_vpc_peering_connections(VpcPeeringConnectionIds=[connection])
        peering = found["VpcPeeringConnections"][0]
        ours = "Requester" if peering["RequesterVpcInfo"].get("Region", entry.region) == entry.region else "Accepter"
        if peering[f"{ours}VpcInfo"].get("PeeringOptions", {}).get(_OPTION):
            continue
        run.begin(NAME, f"setting the {ours.lower()}'s option in {entry.region}")
        with aws_faults(f"letting names of {entry.region} be resolved across {connection}"):
            client.modify_vpc_peering_connection_options(
                VpcPeeringConnectionId=connection, **{f"{ours}PeeringConnectionOptions": {_OPTION: True}}
            )
        done = End.DONE
    return done
