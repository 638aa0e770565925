"""Tells the name servers of a zone that was just created, while the deployment goes on and its certificates wait."""

from __future__ import annotations

from bicoastal.deploy.moments import End
from bicoastal.deploy.package import Package
from bicoastal.deploy.run import Run, Step

NAME = "delegation"
_OUTPUT = "NameServers"


def told_delegation(package: Package) -> list[Step]:
    """One step, where the zone is ours. Whether the parent delegates to it cannot be seen from here."""
    after = package.entries("zone")
    return [Step(NAME, after, (), _tell)] if after else []


def _tell(run: Run) -> End:
    if all((known := run.views.get(entry.id)) and known.good for entry in run.package.entries("service")):
        return End.UNCHANGED
    servers = run.done(run.package.entries("zone")[0]).outputs.get(_OUTPUT, "")
    run.begin(NAME, "telling the zone's name servers")
    run.note(
        NAME,
        f"enter these name servers for {run.package.domain or 'the domain'} at the registrar, or in the parent zone as "
        f"NS: {servers}. Certificates are issued only then, and the service stacks wait for them.",
    )
    return End.DONE
