"""`python3.11 -m bicoastal.kit VERB`: chooses a verb, prints what it answers, and ends with its exit code."""

from __future__ import annotations

import argparse
import json
import signal as signals
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from bicoastal.kit.aws_cli import AwsCli
from bicoastal.kit.config import DEFAULT_PATH, Config, load
from bicoastal.kit.errors import KitError

Verb = Callable[[Config, AwsCli, argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb."""
    options = _parser().parse_args(arguments)
    verb: Verb = options.verb
    try:
        config = load(options.config)
        return verb(config, AwsCli(config.region), options)
    except KitError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


# A verb imports what it needs: the daemon's memory is counted.


def _fetch(config: Config, aws: AwsCli, _: argparse.Namespace) -> int:
    from bicoastal.kit.fetch import fetch  # noqa: PLC0415

    return _say(fetch(config, aws))


def _environment(config: Config, aws: AwsCli, _: argparse.Namespace) -> int:
    from bicoastal.kit.environment import write_environment  # noqa: PLC0415

    return _say({"written": str(write_environment(config, aws))})


def _run(config: Config, aws: AwsCli, _: argparse.Namespace) -> int:
    from bicoastal.kit import metadata  # noqa: PLC0415
    from bicoastal.kit.daemon import Daemon  # noqa: PLC0415

    stop = threading.Event()
    for number in (signals.SIGTERM, signals.SIGINT):
        signals.signal(number, lambda *_: stop.set())
    Daemon(config, aws, metadata.instance().id).run(stop)
    return 0


def _signal(config: Config, aws: AwsCli, _: argparse.Namespace) -> int:
    from bicoastal.kit.health import signal  # noqa: PLC0415

    outcome = signal(config, aws)
    (sys.stdout if outcome.healthy else sys.stderr).write(f"{outcome.reason}\n")
    return 0 if outcome.healthy else 1


def _status(config: Config, aws: AwsCli, _: argparse.Namespace) -> int:
    from bicoastal.kit.status import status  # noqa: PLC0415

    return _say(status(config, aws))


def _bootstrap(config: Config, aws: AwsCli, _: argparse.Namespace) -> int:
    from bicoastal.kit.bootstrap import bootstrap  # noqa: PLC0415

    return _say(bootstrap(config, aws))


def _fence(config: Config, aws: AwsCli, options: argparse.Namespace) -> int:
    from bicoastal.kit.commands import fence  # noqa: PLC0415

    return _say(fence(config, aws, options.epoch, options.reason))


def _unfence(config: Config, aws: AwsCli, options: argparse.Namespace) -> int:
    from bicoastal.kit.commands import unfence  # noqa: PLC0415

    return _say(unfence(config, aws, options.epoch))


def _probe(config: Config, aws: AwsCli, _: argparse.Namespace) -> int:
    from bicoastal.kit.commands import probe  # noqa: PLC0415

    return _say(probe(config, aws))


def _diverged(config: Config, aws: AwsCli, options: argparse.Namespace) -> int:
    from bicoastal.kit.diverged import diverged  # noqa: PLC0415

    return _say(diverged(config, aws, options.snapshot, options.after))


def _census(config: Config, aws: AwsCli, options: argparse.Namespace) -> int:
    from bicoastal.kit.census import census  # noqa: PLC0415

    return _say(census(config, aws, options.host, options.after, options.port))


VERBS: dict[str, tuple[Verb, str]] = {
    "fetch": (_fetch, "bring the application and the database's certificates"),
    "environment": (_environment, "write the application's environment file"),
    "run": (_run, "heartbeat, metrics, gate and fence watch, until ended"),
    "signal": (_signal, "wait for the application's health, then tell CloudFormation"),
    "status": (_status, "print what is known here, as JSON"),
    "bootstrap": (_bootstrap, "make the database ready, then run the release command"),
    "fence": (_fence, "stop writes on the local primary"),
    "unfence": (_unfence, "take writes again on the local primary, or as soon as it is one, in a higher epoch"),
    "probe": (_probe, "write one row as the application and read it back"),
    "diverged": (_diverged, "list rows that a database promoted from this one never got"),
    "census": (_census, "count a restored database's rows, beside those of the local one"),
}


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, default=DEFAULT_PATH, help="the kit's configuration (%(default)s)")
    parser = argparse.ArgumentParser(prog="bicoastal.kit", description="What runs beside the application.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name, (verb, help_text) in VERBS.items():
        sub = verbs.add_parser(name, help=help_text, parents=[common])
        sub.set_defaults(verb=verb)
        if name in ("fence", "unfence"):
            sub.add_argument("--epoch", type=int, required=True)
        if name == "fence":
            sub.add_argument("--reason", required=True)
        if name == "diverged":
            sub.add_argument("--snapshot", required=True, help="pg_current_snapshot() of the other one, as it was")
            sub.add_argument("--after", type=int, default=0, help="rows that were given already")
        if name == "census":
            sub.add_argument("--host", required=True, help="of the restored database")
            sub.add_argument("--port", type=int, help="its port; the local one's by default")
            sub.add_argument("--after", type=int, default=0, help="tables that were given already")
    return parser


def _say(answer: object) -> int:
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
