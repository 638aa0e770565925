"""The kit's configuration as user data writes it: `docs/kit.md` describes each key, and the kit refuses any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bicoastal.blueprint.names import witness_name
from bicoastal.blueprint.ports import GATE
from bicoastal.blueprint.service.balancer import HEALTH_TIMEOUT_S
from bicoastal.blueprint.service.units import ROOT, SIGNAL_DEADLINE_S
from bicoastal.blueprint.service.user_data import literal
from bicoastal.spec.model import Spec


@dataclass(frozen=True)
class DatabaseAddress:
    """A region's database, as texts or placeholders."""

    host: str
    port: str


def kit_configuration(
    spec: Spec,
    *,
    bucket: str,
    other_region: str,
    application_version: str,
    database: DatabaseAddress,
    other_database: DatabaseAddress | None,
    database_secrets: Mapping[str, str],
    application_secrets: Mapping[str, str],
    signal_resource: str,
) -> dict[str, Any]:
    """The file, of texts and of placeholders that CloudFormation fills; ports become texts, which the kit reads.

    `other_database` is None where no flow to it is declared. `database_secrets` and `application_secrets` map a
    role, and an environment variable, to the ARN of this region's secret. No secret's value is in it.
    """
    addresses: dict[str, Any] = {"name": spec.database.name, "host": database.host, "port": database.port}
    if other_database:
        addresses |= {"other_host": other_database.host, "other_port": other_database.port}
    return {
        "root": ROOT,
        "region": "${AWS::Region}",
        "other_region": other_region,
        "bucket": bucket,
        "application": {
            "version": application_version,
            "port": spec.app.port,
            "health_path": spec.app.health_path,
            "health_timeout_s": HEALTH_TIMEOUT_S,
            "environment": {name: literal(value) for name, value in spec.app.environment.items()},
            "secrets": dict(application_secrets),
        },
        "database": {**addresses, "secrets": dict(database_secrets)},
        "gate": {"port": GATE},
        "witness": {"name": witness_name(spec, "${AWS::Region}")},
        "signal": {"stack": "${AWS::StackName}", "resource": signal_resource, "deadline_s": SIGNAL_DEADLINE_S},
    }
