"""`bicoastal review`: hold templates against what was asked."""

from __future__ import annotations

from pathlib import Path

import click

from bicoastal.cfn.deployment import Deployment
from bicoastal.cfn.load import read_deployment
from bicoastal.core.findings import Severity
from bicoastal.review.asked import judged
from bicoastal.review.case import Case
from bicoastal.review.demand import Demand, demand_of, two_region_web
from bicoastal.review.findings import look
from bicoastal.review.report import as_json, as_text
from bicoastal.review.verdict import Verdict

DEFAULT_SPEC = Path("bicoastal.yaml")
DEFAULT_FOLDER = Path("deployment")


@click.command("review")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True), metavar="[PATH]...")
@click.option(
    "-s",
    "--spec",
    type=click.Path(path_type=Path),
    help="What was asked for; bicoastal.yaml, if it is there. Without one, a web application in two regions.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="FILE=REGION[,REGION]",
    help="Where a template without a manifest is deployed; us-east-1 if nothing is said. Repeat for more files.",
)
@click.pass_context
def command(
    context: click.Context, paths: tuple[Path, ...], spec: Path | None, form: str, regions: tuple[str, ...]
) -> None:
    """Hold templates against what was asked: what is delivered, what is missing, what cannot be told.

    PATH is the folder that `synth` wrote (deployment/, if none is named), or templates of anybody's.
    Ends with 0 when every row is delivered and nothing is found to be an error, 1 otherwise.
    """
    if not paths and not DEFAULT_FOLDER.exists():
        raise click.UsageError("There is no deployment/ here: `bicoastal synth` writes it. Or name your templates.")
    deployment = read_deployment(paths or (DEFAULT_FOLDER,), _placed(regions))
    case = Case(deployment, _demand(spec, deployment))
    rows = tuple(judged(case))
    findings = (*deployment.findings, *look(case).findings)
    if form == "json":
        click.echo(as_json(rows, findings), nl=False)
    else:
        for line, color in as_text(rows, deployment, findings):
            click.secho(line, fg=color or None)
    wrong = any(finding.severity is Severity.ERROR for finding in findings)
    context.exit(0 if not wrong and all(row.verdict is Verdict.DELIVERED for row in rows) else 1)


def _demand(spec: Path | None, deployment: Deployment) -> Demand:
    """What the spec says; without one, what the deployment's own regions imply."""
    if spec is None and not DEFAULT_SPEC.is_file():
        home = deployment.home or "us-east-1"
        return two_region_web(home, deployment.standby or ("us-west-2" if home != "us-west-2" else "us-east-1"))
    from bicoastal.spec.load import load  # noqa: PLC0415 - pydantic takes longer to import than a review takes

    return demand_of(load(spec or DEFAULT_SPEC))


def _placed(regions: tuple[str, ...]) -> dict[str, str]:
    placed = {}
    for entry in regions:
        file, equals, region = entry.rpartition("=")
        if not equals or not file or not region:
            raise click.BadParameter(f"{entry!r} is not FILE=REGION", param_hint="--region")
        placed[file] = region
    return placed
