"""The whole deployment on one page: which concern needs which, and the stacks that come of it.

Reading order is dependency order: each concern takes the typed results of those above it. Nothing here knows how a
resource is written; nothing in a concern knows where it stands in the graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bicoastal.blueprint.access import access
from bicoastal.blueprint.aggregation import aggregation
from bicoastal.blueprint.backup import backup
from bicoastal.blueprint.bootstrap import bootstrap
from bicoastal.blueprint.checks import checks
from bicoastal.blueprint.database import DatabaseInputs, database
from bicoastal.blueprint.foundation import foundation
from bicoastal.blueprint.monitoring import monitoring
from bicoastal.blueprint.names import names
from bicoastal.blueprint.network import network
from bicoastal.blueprint.peering import peering
from bicoastal.blueprint.residency import scp_json
from bicoastal.blueprint.secrets import secrets
from bicoastal.blueprint.service.service import service
from bicoastal.blueprint.stack import Stack
from bicoastal.blueprint.tags import stack_tags
from bicoastal.blueprint.vault import vault
from bicoastal.blueprint.zone import zone
from bicoastal.cfn.manifest import Manifest, StackEntry
from bicoastal.spec.model import Spec


@dataclass(frozen=True)
class Deployment:
    """Everything that `synth` writes: the templates, and the graph of stacks that they become."""

    spec: Spec
    stacks: tuple[Stack, ...]
    documents: Mapping[str, str] = field(default_factory=dict)
    """Policies beside the templates, by name: an SCP is attached in the organization, not by a stack."""

    @property
    def manifest(self) -> Manifest:
        """The stack graph, each stack after what it needs."""
        entries = [_entry(self.spec, stack, region) for stack in self.stacks for region in stack.regions]
        return Manifest(
            application=self.spec.name,
            environment=self.spec.environment,
            regions={self.spec.home: "home", self.spec.standby: "standby"},
            tags=stack_tags(self.spec),
            stacks=tuple(_in_order(entries)),
        )


def compose(spec: Spec) -> Deployment:
    """Build every stack of the deployment."""
    base = foundation(spec)
    net = network(spec, base)
    link = peering(spec, net)
    passwords = secrets(spec, base.data_key_arn)
    data = database(
        spec,
        DatabaseInputs(
            data_key_arn=base.data_key_arn,
            logs_key_arn=base.logs_key_arn,
            alert_topic_arn=base.alert_topic_arn,
            boundary_arn=base.boundary_arn,
            data_subnets=net.data_subnets,
            database_group=net.database_group,
            secrets=passwords,
        ),
    )
    rights = access(spec, base, passwords.fleet_grants)
    preparation = bootstrap(spec, base, net, passwords, data)
    public = zone(spec)
    web = service(spec, base, net, rights, passwords, data, public)
    health = checks(spec, web)
    records = names(spec, public, health, web)
    kept = vault(spec)
    backups = backup(spec, base, net, kept, data)
    watch = monitoring(spec, base, kept, data, web)
    stacks = (
        base.stack,
        net.stack,
        link.stack,
        passwords.stack,
        data.stack,
        rights.stack,
        preparation.stack,
        *([public.stack] if public.stack else []),
        web.stack,
        health.stack,
        records.stack,
        kept.stack,
        backups.stack,
        watch.stack,
    )
    logs = aggregation(spec, base, stacks)
    return Deployment(
        spec,
        (*stacks, *([logs.stack] if logs else [])),
        documents={"service-control-policy.json": scp_json(spec)},
    )


def _entry(spec: Spec, stack: Stack, region: str) -> StackEntry:
    return StackEntry(
        id=f"{stack.kind}/{region}",
        name=f"{spec.prefix}-{stack.kind}",
        template=f"templates/{stack.kind}.yaml",
        region=region,
        parameters=stack.sources[region],
        capabilities=stack.capabilities,
        protected=stack.protected,
        watch=stack.watch,
    )


def _in_order(entries: Sequence[StackEntry]) -> list[StackEntry]:
    """Sort by need, keeping the written order where there is none.

    Raises ValueError on a circle, or a need that no stack fills.
    """
    waiting = {entry.id: entry for entry in entries}
    done: list[StackEntry] = []
    placed: set[str] = set()
    while waiting:
        ready = [entry for entry in waiting.values() if placed.issuperset(entry.needs)]
        if not ready:
            raise ValueError(f"these stacks need each other, or one that is not there: {', '.join(sorted(waiting))}")
        for entry in ready:
            done.append(entry)
            placed.add(entry.id)
            del waiting[entry.id]
    return done
