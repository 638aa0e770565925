"""`bicoastal review`: hold templates against what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from bicoastal.cfn.deployment import Deployment
from bicoastal.cfn.load import Reading, read_all
from bicoastal.cfn.parameters import Given, from_file, given
from bicoastal.core.findings import Finding, Severity
from bicoastal.review.demand import Demand, demand_of, two_region_web
from bicoastal.review.reviewed import Review, review
from bicoastal.review.settings import FAIL_ON, Settings, settings_in
from bicoastal.review.verdict import RowVerdict, Verdict

DEFAULT_SPEC = Path("bicoastal.yaml")
DEFAULT_FOLDER = Path("deployment")
FORMATS = ("text", "json", "sarif", "junit", "github", "html")
_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def _explain(context: click.Context, _parameter: click.Parameter, rule: str | None) -> None:
    if rule is None or context.resilient_parsing:
        return
    from bicoastal.review.explain import explain  # noqa: PLC0415 - nobody else waits for it

    try:
        click.echo(explain(rule), nl=False)
    except KeyError as error:
        raise click.BadParameter(str(error.args[0]), param_hint="--explain") from None
    context.exit(0)


@click.command("review")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True), metavar="[PATH]...")
@click.option(
    "-s",
    "--spec",
    type=click.Path(path_type=Path),
    help="What was asked for; bicoastal.yaml, if it is there and no --demand is given.",
)
@click.option(
    "-d",
    "--demand",
    metavar="PROFILE|FILE",
    help="What was asked for without a spec: two-region-web (the default), single-region-web, or a YAML file.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write there, not to the screen.")
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="FILE=REGION[,REGION]",
    help="Where a template without a manifest is deployed; us-east-1 if nothing is said, `*` for all. Repeatable.",
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="[TEMPLATE:]NAME=VALUE",
    help="A parameter's value; TEMPLATE is a file or a stack, with @REGION for one of them. Repeatable.",
)
@click.option(
    "--parameter-file",
    "parameter_files",
    multiple=True,
    metavar="[TEMPLATE=]FILE",
    help="The same from a file, as the AWS CLI, CodePipeline or anybody writes it. Repeatable.",
)
@click.option("--schema/--no-schema", default=None, help="AWS's schema pass, by cloudformation-validate, if installed.")
@click.option("--what-if", is_flag=True, help="Say what still answers when each zone or region is lost, too.")
@click.option("--baseline", type=click.Path(path_type=Path), help="Don't count what this file knows.")
@click.option("--write-baseline", type=click.Path(path_type=Path, dir_okay=False), help="Write such a file and end.")
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice(FAIL_ON),
    help="What ends with 1: a row, or a finding of this severity or worse. Repeatable; row and error, by default.",
)
@click.option("--explain", metavar="RULE", callback=_explain, expose_value=False, is_eager=True, help="Tell of a rule.")
@click.pass_context
def command(
    context: click.Context,
    *,
    paths: tuple[Path, ...],
    spec: Path | None,
    demand: str | None,
    form: str,
    output: Path | None,
    regions: tuple[str, ...],
    parameters: tuple[str, ...],
    parameter_files: tuple[str, ...],
    schema: bool | None,
    what_if: bool,
    baseline: Path | None,
    write_baseline: Path | None,
    fail_on: tuple[str, ...],
) -> None:
    """Hold templates against what was asked: what is delivered, what is missing, what cannot be told.

    PATH is the folder that `synth` wrote (deployment/, if none is named), a CDK assembly (cdk.out), or templates of
    anybody's. Ends with 0 when every row is delivered and nothing is found to be an error, 1 otherwise.
    """
    if not paths and not DEFAULT_FOLDER.exists():
        raise click.UsageError("There is no deployment/ here: `bicoastal synth` writes it. Or name your templates.")
    paths = paths or (DEFAULT_FOLDER,)
    settings = settings_in(Path(), spec or (DEFAULT_SPEC if demand is None else None))
    asked = Asked(spec, demand or (settings.demand if spec is None else None))
    reading = read_all(paths, placed(regions), given=given_parameters(parameters, parameter_files))
    done = review(reading, asked.demand, schema=_schema(schema, settings), root=_root(reading, paths))
    if write_baseline is not None:
        from bicoastal.review.baseline import written  # noqa: PLC0415

        write_baseline.write_text(written(done.rows, done.findings), encoding="utf-8")
        click.echo(f"{write_baseline} holds what is known now: --baseline {write_baseline} leaves it out.")
        context.exit(0)
    path = baseline or settings.baseline
    findings, rows = _new(done, path) if path is not None else (done.findings, done.rows)
    fails = fail_on or settings.fail_on or ("row", "error")
    _print(done, findings, form, output, source=asked.source, what_if=what_if, rows_count="row" in fails)
    context.exit(1 if _says_no(fails, rows, findings) else 0)


def _new(done: Review, path: Path) -> tuple[tuple[Finding, ...], tuple[RowVerdict, ...]]:
    """Findings and rows that a baseline does not know."""
    from bicoastal.review.baseline import read  # noqa: PLC0415 - few reviews have one

    known = read(path)
    return known.unknown(done.findings), tuple(row for row in done.rows if known.is_new(row))


class Asked:
    """What was asked, and where that comes from."""

    def __init__(self, spec: Path | None, demand: str | None) -> None:
        if spec is not None and demand is not None:
            raise click.UsageError("--spec and --demand both say what was asked for: give one of them.")
        self._spec = spec
        self._demand = demand
        self.source = ""

    def demand(self, deployment: Deployment) -> Demand:
        """The demand; without any, the profile in the deployment's own regions."""
        if self._demand is not None:
            from bicoastal.review.demand_file import PROFILES, demand_from  # noqa: PLC0415

            if self._demand not in PROFILES:
                self.source = self._demand
                return demand_from(Path(self._demand))
            self.source = f"profile {self._demand}"
            if self._demand == "single-region-web":
                return PROFILES[self._demand](deployment.home or "us-east-1")
        elif self._spec is not None or DEFAULT_SPEC.is_file():
            from bicoastal.spec.load import load  # noqa: PLC0415 - pydantic takes longer to import than a review takes

            self.source = str(self._spec or DEFAULT_SPEC)
            return demand_of(load(self._spec or DEFAULT_SPEC))
        home = deployment.home or "us-east-1"
        self.source = "profile two-region-web; --spec or --demand say otherwise"
        return two_region_web(home, deployment.standby or ("us-west-2" if home != "us-west-2" else "us-east-1"))


def placed(regions: Sequence[str]) -> dict[str, str]:
    """`FILE=REGION` by file."""
    found = {}
    for entry in regions:
        file, equals, region = entry.rpartition("=")
        if not equals or not file or not region:
            raise click.BadParameter(f"{entry!r} is not FILE=REGION", param_hint="--region")
        found[file] = region
    return found


def given_parameters(parameters: Sequence[str], files: Sequence[str]) -> list[Given]:
    """What files and the command line say of parameters, the command line last."""
    found: list[Given] = []
    for entry in files:
        target, _, file = entry.rpartition("=")
        found.extend(from_file(Path(file), target or "*"))
    try:
        found.extend(given(entry) for entry in parameters)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--parameter") from None
    return found


def _schema(asked: bool | None, settings: Settings) -> bool:
    wanted = asked if asked is not None else settings.schema_pass
    if wanted is False:
        return False
    from bicoastal.review.schema import PACKAGE, available  # noqa: PLC0415

    if wanted and not available():
        raise click.UsageError(f"{PACKAGE} is not installed: `pip install 'bicoastal[validate]'`, or --no-schema.")
    return available()


def _root(reading: Reading, paths: Sequence[Path]) -> Path | None:
    if reading.manifest is None:
        return None
    return paths[0] if paths[0].is_dir() else paths[0].parent


def _print(
    done: Review,
    findings: tuple[Finding, ...],
    form: str,
    output: Path | None,
    *,
    source: str,
    what_if: bool,
    rows_count: bool,
) -> None:
    if form == "text":
        lines = list(_text(done, findings, source=source, what_if=what_if))
        if output is None:
            for line, color in lines:
                click.secho(line, fg=color or None)
            return
        text = "".join(f"{line}\n" for line, _ in lines)
    else:
        text = _for_machines(done, findings, form, source=source, what_if=what_if, rows_count=rows_count)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


def _text(done: Review, findings: tuple[Finding, ...], *, source: str, what_if: bool) -> list[tuple[str, str]]:
    from bicoastal.review.formats.text import as_text  # noqa: PLC0415

    known = sum(item.severity is not Severity.INFO for item in done.findings) - sum(
        item.severity is not Severity.INFO for item in findings
    )
    lines = list(
        as_text(
            done.rows,
            done.deployment,
            findings,
            demand=done.demand,
            source=source,
            suppressed=done.suppressed,
            cases=done.cases,
            known=known,
        )
    )
    if what_if:
        from bicoastal.review.formats.losses import as_lines  # noqa: PLC0415
        from bicoastal.review.what_if import losses  # noqa: PLC0415

        lines.extend(as_lines(losses(done.case)))
    return lines


def _for_machines(
    done: Review, findings: tuple[Finding, ...], form: str, *, source: str, what_if: bool, rows_count: bool
) -> str:
    if form == "json":
        from bicoastal.review.formats.data import as_json  # noqa: PLC0415

        if what_if:
            from bicoastal.review.what_if import as_data, losses  # noqa: PLC0415

            return as_json(done.rows, findings, what_if=as_data(losses(done.case)))
        return as_json(done.rows, findings)
    if form == "html":
        from bicoastal.review.formats.html import as_html  # noqa: PLC0415

        return as_html(done, findings, source=source)
    from bicoastal.review.formats import exchange  # noqa: PLC0415

    write = {"sarif": exchange.as_sarif, "junit": exchange.as_junit, "github": exchange.as_github}[form]
    return write(done.rows, findings, done.deployment, rows_count=rows_count)


def _says_no(fail_on: Sequence[str], rows: Sequence[RowVerdict], findings: Sequence[Finding]) -> bool:
    if "nothing" in fail_on:
        return False
    if "row" in fail_on and any(row.verdict is not Verdict.DELIVERED for row in rows):
        return True
    named = [_ORDER.index(Severity(name)) for name in fail_on if name != "row"]
    return bool(named) and any(_ORDER.index(finding.severity) <= max(named) for finding in findings)
