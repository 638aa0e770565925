"""Secrets: known by their ARN, replicated with a key of each region; resource policies as a CloudFormation type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.references import key_is_usable
from bicoastal.twin.cloud.registry import Fixed, Made, Refused, ResourceType, Wanted


class Secret(ResourceType):
    """A secret. ministack makes it, and knows it by name; CloudFormation's `Ref` is its ARN."""

    type = "AWS::SecretsManager::Secret"

    def __init__(self) -> None:
        """Keep what ministack has for the type."""
        self._inner = dict(emulator.provisioners()._RESOURCE_HANDLERS[self.type])

    def create(self, wanted: Wanted) -> Made:
        """Make it. A name that is taken is refused, as is a replica with another region's key."""
        _check_replicas(wanted)
        if wanted.get("Name") in emulator.store("secretsmanager", "_secrets"):
            raise Refused(f"The operation failed because the secret {wanted.get('Name')} already exists.")
        return self._made(self._inner["create"](wanted.logical_id, dict(wanted.properties), wanted.stack))

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """A changed generation makes a new version, as Secrets Manager does."""
        _check_replicas(wanted)
        return self._made(
            self._inner["update"](
                name_of(id_), dict(was.properties), dict(wanted.properties), wanted.stack, wanted.logical_id
            )
        )

    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it with its replicas."""
        self._inner["delete"](name_of(id_), dict(was.properties))

    def _made(self, made: tuple[str, dict[str, str]]) -> Made:
        _, attributes = made
        arn = attributes.get("Arn") or attributes["Id"]
        return Made(arn, {**attributes, "Id": arn})


def compare_by_name() -> None:
    """Look for a secret as it is known: ministack looks for drift by its name, and CloudFormation has its ARN."""
    readers = emulator.cloudformation("drift")._DRIFT_READERS
    inner, compared = readers[Secret.type]
    readers[Secret.type] = (lambda id_, properties: inner(name_of(id_), properties), compared)


def name_of(arn: str) -> str:
    """The name of a secret, of its ARN: without the random end."""
    for name, record in emulator.store("secretsmanager", "_secrets").items():
        if record["ARN"] == arn:
            return str(name)
    return arn


def _check_replicas(wanted: Wanted) -> None:
    """Secrets Manager refuses a replica in the secret's own region, or with a key of another."""
    for replica in wanted.get("ReplicaRegions") or ():
        if replica["Region"] == emulator.region():
            raise Refused("Invalid replica region: a secret is not replicated to its own (InvalidParameterException)")
        with emulator.in_region(replica["Region"]):
            usable = not replica.get("KmsKeyId") or key_is_usable(replica["KmsKeyId"])
        if not usable:
            raise Refused(f"The KMS key {replica['KmsKeyId']} does not exist in {replica['Region']}, or is disabled")


def honor_exclusions() -> None:
    """Generate what GenerateSecretString asks for: ministack's provisioner heeds length and characters alone."""
    inner = emulator.provisioners()._sm_secret_string

    def secret_string(properties: Mapping[str, Any]) -> str:
        asked = properties.get("GenerateSecretString")
        if not asked or properties.get("SecretString"):
            return str(inner(properties))
        request = {name: value for name, value in asked.items() if name not in _TEMPLATE}
        made = emulator.call("secretsmanager", "secretsmanager.GetRandomPassword", request)["RandomPassword"]
        if not asked.get("SecretStringTemplate"):
            return str(made)
        return json.dumps({**json.loads(asked["SecretStringTemplate"]), asked["GenerateStringKey"]: made})

    emulator.provisioners()._sm_secret_string = secret_string


_TEMPLATE = ("SecretStringTemplate", "GenerateStringKey")


class ResourcePolicy(Fixed):
    """A secret's policy."""

    type = "AWS::SecretsManager::ResourcePolicy"

    def create(self, wanted: Wanted) -> Made:
        """Put it on the secret."""
        secret: Any = wanted.get("SecretId")
        policy = json.dumps(wanted.get("ResourcePolicy"))
        emulator.call(
            "secretsmanager", "secretsmanager.PutResourcePolicy", {"SecretId": secret, "ResourcePolicy": policy}
        )
        return Made(secret, {"Id": secret})

    def delete(self, id_: str, was: Wanted) -> None:
        """Take it off, if the secret is still there."""
        if name_of(id_) != id_:
            emulator.call("secretsmanager", "secretsmanager.DeleteResourcePolicy", {"SecretId": id_})


TYPES = (Secret(), ResourcePolicy())
