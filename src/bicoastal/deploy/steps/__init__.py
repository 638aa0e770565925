"""What a deployment does between stacks, because CloudFormation cannot, or cannot wait for it.

Each step looks first and does only what is missing, so that a deployment that was killed anywhere is simply run again.
A manifest without the kinds of stacks that a step is about does not get it.
"""

from __future__ import annotations

from bicoastal.deploy.package import Package
from bicoastal.deploy.run import Step
from bicoastal.deploy.steps.checks import settled_checks
from bicoastal.deploy.steps.database import prepared_database
from bicoastal.deploy.steps.peering import peering_names
from bicoastal.deploy.steps.rotation import refreshed_servers
from bicoastal.deploy.steps.secrets import replicated_secrets
from bicoastal.deploy.steps.zone import told_delegation
from bicoastal.deploy.survey import Views


def steps(package: Package, views: Views) -> list[Step]:
    """The steps of a deployment, in no particular order."""
    return [
        *told_delegation(package),
        *replicated_secrets(package),
        *peering_names(package),
        *prepared_database(package, views),
        *settled_checks(package),
        *refreshed_servers(package),
    ]
