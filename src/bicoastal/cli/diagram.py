"""`bicoastal diagram`: the topology, drawn from the templates."""

from __future__ import annotations

from pathlib import Path

import click

from bicoastal.cfn.load import read_deployment
from bicoastal.cli.review import DEFAULT_FOLDER, Asked, placed
from bicoastal.review.case import Case


@click.command("diagram")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True), metavar="[PATH]...")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write there, not to the screen.")
@click.option("--region", "regions", multiple=True, metavar="FILE=REGION[,REGION]", help="As `review` takes it.")
def command(paths: tuple[Path, ...], output: Path | None, regions: tuple[str, ...]) -> None:
    """Draw what stands in each region and what leads where, as SVG.

    PATH is what `review` takes: the folder that `synth` wrote, a CDK assembly, or templates of anybody's.
    """
    from bicoastal.review.drawing import as_svg  # noqa: PLC0415
    from bicoastal.review.topology import topology  # noqa: PLC0415

    if not paths and not DEFAULT_FOLDER.exists():
        raise click.UsageError("There is no deployment/ here: `bicoastal synth` writes it. Or name your templates.")
    deployment = read_deployment(paths or (DEFAULT_FOLDER,), placed(regions))
    text = as_svg(topology(Case(deployment, Asked(None, None).demand(deployment))))
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
