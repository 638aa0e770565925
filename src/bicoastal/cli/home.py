"""The option that says which twin is meant, and the line for when there is none; shared by `up` and its companions."""

from __future__ import annotations

from pathlib import Path

import click

from bicoastal.core.errors import Refused
from bicoastal.twin.announcement import Announcement, running
from bicoastal.twin.home import Home, default_folder

home_option = click.option(
    "--home",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="BICOASTAL_HOME",
    show_envvar=True,
    help="The twin's folder; two twins have two. By default one in the user's folder for state.",
)


def chosen(folder: Path | None) -> Home:
    """The folder that is meant."""
    return Home((folder or default_folder()).absolute())


def console_key(home: Home) -> Path:
    """Where the console of a twin keeps what opens it."""
    return home.root / "console.json"


def running_twin(home: Home) -> Announcement:
    """What the twin there tells. Raises Refused where none runs."""
    found = running(home)
    if found is None:
        raise Refused(f"No twin runs in {home.root}.\n    -> `bicoastal up` starts one; --home names another folder.")
    return found
