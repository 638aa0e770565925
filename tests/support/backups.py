"""The vault and the plan of a spec, over the stacks that they take from, and what is in them."""

from __future__ import annotations

from typing import Any

from bicoastal.blueprint.backup import Backup, backup
from bicoastal.blueprint.foundation import foundation
from bicoastal.blueprint.network import network
from bicoastal.blueprint.stack import Stack
from bicoastal.blueprint.vault import Vault, vault
from bicoastal.cfn.intrinsics import strip_comments
from bicoastal.cfn.manifest import Literal
from bicoastal.spec.model import Spec
from tests.support.regions import database_of


def build_backups(of: Spec) -> tuple[Vault, Backup]:
    """Vault and backup of a spec."""
    base, made = foundation(of), vault(of)
    return made, backup(of, base, network(of, base), made, database_of(of))


def resource(stack: Stack, logical_id: str) -> Any:
    """A resource of a stack, as CloudFormation sees it."""
    return strip_comments(stack.document["Resources"][logical_id])


def literal(stack: Stack, region: str, parameter: str) -> str:
    """The value that a parameter has in a region from the start."""
    source = stack.sources[region][parameter]
    assert isinstance(source, Literal)
    return source.value
