"""`bicoastal synth`: write the templates of both regions, their parameters, and the graph that deploys them."""

from __future__ import annotations

from pathlib import Path

import click

from bicoastal.blueprint.stacks import compose
from bicoastal.blueprint.write import write_deployment
from bicoastal.spec.load import load


@click.command("synth")
@click.option(
    "-s",
    "--spec",
    type=click.Path(path_type=Path),
    default=Path("bicoastal.yaml"),
    show_default=True,
    help="The file that describes the application.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("deployment"),
    show_default=True,
    help="Folder for the templates; what an earlier synth wrote there is replaced.",
)
def command(spec: Path, output: Path) -> None:
    """Write the CloudFormation templates of both regions.

    The output folder gets one template per kind of stack (the same for both regions), parameter files per region,
    policy documents, and manifest.json, which says which stack feeds which. The same spec gives the same bytes
    on any machine.
    """
    deployment = compose(load(spec))
    written = write_deployment(deployment, output)
    stacks = sum(len(stack.regions) for stack in deployment.stacks)
    click.echo(
        f"{len(deployment.stacks)} templates for {stacks} stacks in "
        f"{deployment.spec.home} (home) and {deployment.spec.standby} (standby)."
    )
    click.echo(
        f"Wrote {len(written)} files to {output}/. Read {output}/manifest.json for the order; next: bicoastal review"
    )
