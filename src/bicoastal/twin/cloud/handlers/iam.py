"""IAM: an instance profile is known to CloudFormation by its name, and a role has its boundary."""

from __future__ import annotations

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.registry import Made, ResourceType, Wanted


class InstanceProfile(ResourceType):
    """An instance profile. ministack makes it, and knows it by ARN; CloudFormation's `Ref` is its name."""

    type = "AWS::IAM::InstanceProfile"

    def __init__(self) -> None:
        """Keep what ministack has for the type."""
        self._inner = dict(emulator.provisioners()._RESOURCE_HANDLERS[self.type])

    def create(self, wanted: Wanted) -> Made:
        """Make it."""
        arn, attributes = self._inner["create"](wanted.logical_id, dict(wanted.properties), wanted.stack)
        return Made(arn.rpartition("/")[2], {**attributes, "Arn": attributes.get("Arn", arn)})

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Roles change."""
        more = (wanted.logical_id,) if self._inner.get("update_with_logical_id") else ()
        arn, attributes = self._inner["update"](
            _arn(id_), dict(was.properties), dict(wanted.properties), wanted.stack, *more
        )
        return Made(arn.rpartition("/")[2], {**attributes, "Arn": attributes.get("Arn", arn)})

    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it."""
        self._inner["delete"](_arn(id_), dict(was.properties))


def _arn(name: str) -> str:
    record = emulator.store("iam", "_instance_profiles").get(name)
    return str(record["Arn"]) if record else name


def bound(id_: str, wanted: Wanted) -> None:
    """Give a role its permissions boundary, which limits what its policies allow."""
    emulator.store("iam", "_roles")[id_]["PermissionsBoundary"] = wanted.get("PermissionsBoundary")


TYPES = (InstanceProfile(),)
