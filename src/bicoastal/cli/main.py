"""The entry: finds the command, and turns how it ended into words and an exit code.

A command's module is imported only when it runs: `synth` must not wait for what `deploy` needs.
Nothing else may live here.
"""

from __future__ import annotations

import errno
import gc
import sys
from importlib import import_module

import click

from bicoastal import __version__
from bicoastal.core.errors import BicoastalError

COMMANDS = {
    "init": "write bicoastal.yaml and the sample application",
    "synth": "write the templates of both regions and what deploys them",
    "review": "hold templates against what was asked",
    "budget": "reckon the monthly cost, and how long users wait for what",
    "diagram": "draw what stands where, from the templates",
    "plan": "show what a deploy would change",
    "deploy": "create or change every stack in both regions",
    "destroy": "delete every stack in both regions, and say what stays",
    "up": "run both regions on this machine",
    "down": "end what `up` runs",
    "status": "show what runs here, and where",
    "env": "print the variables that point any AWS tool here",
    "logs": "print what the programs here have said",
    "console": "show a deployment in a browser",
    "drill": "rehearse a loss here, and report what it cost",
    "failover": "make the surviving region the primary one",
    "switchover": "move the primary to the other region, losing nothing",
    "rejoin": "make a replica of the side that was lost",
    "backup": "list what is kept of the database, and restore it beside the live one",
    "access": "open an instance to responders for some minutes",
}
"""Name to one line of help; each lives in `bicoastal.cli.<name>` as `command`."""


FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class LazyGroup(click.Group):
    """Imports a command's module when it is asked for, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command, or None for a name that is not one (click then suggests the nearest)."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"bicoastal.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="bicoastal")
def bicoastal() -> None:
    """Build and prove a web application that survives losing an AWS region.

    Exit codes: 0 done, or it holds; 1 the answer is no; 2 usage or unreadable input; 3 AWS or this machine failed.
    """


def main() -> None:
    """Run a command; errors that are the user's to fix, or AWS's, end in a message and not in a traceback."""
    # Most commands are over before a collection finds anything, and whoever waits for a failover should wait for none.
    gc.set_threshold(20_000, 10, 1_000)
    try:
        bicoastal(prog_name="bicoastal")
    except BicoastalError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if (error.name or "bicoastal").split(".")[0] == "bicoastal":
            raise
        print(
            f"The Python package {error.name!r} is not installed, and this command needs it.\n"
            "    -> pip install 'bicoastal[twin]'",
            file=sys.stderr,
        )
        sys.exit(3)
    except BrokenPipeError:
        # `bicoastal review | head` is no error; keep Python from complaining when it flushes.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.errno not in FULL:
            raise
        print(
            f"{error.filename or 'A file'} could not be written: {error.strerror}.\n"
            "    -> Make room on that disk, then type the same again: everything carries on from what it finds.",
            file=sys.stderr,
        )
        sys.exit(3)
