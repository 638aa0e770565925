"""Which changes nobody gets by accident: whatever takes data, keys or names away, or makes them anew.

Pure: it reads a proposal. A resource is allowed by its logical id, and for that one command.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bicoastal.stacks.changes import Proposal, ResourceChange, replaced

STATEFUL = frozenset(
    {
        "AWS::Backup::BackupVault",
        "AWS::KMS::Key",
        "AWS::RDS::DBInstance",
        "AWS::Route53::HostedZone",
        "AWS::S3::Bucket",
        "AWS::SecretsManager::Secret",
    }
)
"""What is lost with the resource cannot be made again by a template."""


@dataclass(frozen=True)
class Objection:
    """A change that needs permission."""

    stack: str
    """The entry's id."""
    change: ResourceChange

    def __str__(self) -> str:
        change = self.change
        verb = {"True": "replace", "Conditional": "perhaps replace (AWS knows only when it runs)"}.get(
            change.replacement, "change in a way that AWS does not tell beforehand"
        )
        verb = "remove" if change.action == "Remove" else verb
        why = ", ".join(item.name for item in change.properties if item.recreation != "Never")
        return (
            f"{self.stack}: it would {verb} {change.logical_id} ({change.type} {change.physical_id})"
            f"{f', because of {why}' if why else ''}.\n"
            f"    -> If that is what you want: --allow-replacement {change.logical_id}"
        )


def objections(entry_id: str, proposal: Proposal, *, protected: bool, allowed: Collection[str]) -> list[Objection]:
    """What of a proposal may not be done as things are.

    In a protected stack everything that is certain to be replaced or removed; of stateful types everywhere, and also
    what may be replaced.
    """
    found = []
    anew = replaced(proposal.changes)
    for change in proposal.changes:
        certain = change.action == "Remove" or anew.get(change.logical_id, False)
        possible = certain or change.action == "Dynamic" or change.logical_id in anew
        stateful = change.type in STATEFUL
        if ((stateful and possible) or (protected and certain)) and change.logical_id not in allowed:
            found.append(Objection(entry_id, change))
    return found
