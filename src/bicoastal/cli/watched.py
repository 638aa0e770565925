"""The console of a twin that runs in this process: what it is given beyond what the AWS API says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bicoastal.aws.calls import CallLog
from bicoastal.aws.session import Session
from bicoastal.cli.home import console_key
from bicoastal.console.made import READ_S, Deployment, TwinSide, console
from bicoastal.console.names import Names
from bicoastal.operate.watch.figures import Clock
from bicoastal.operate.watch.watcher import Rhythm
from bicoastal.twin.addresses import DNS, reachable_port
from bicoastal.twin.cloud.administrator import administrator
from bicoastal.twin.cloud.process import ask
from bicoastal.twin.wire import REGIONS_S

if TYPE_CHECKING:
    from bicoastal.console.server import Console
    from bicoastal.operate.subject import Subject
    from bicoastal.twin.home import Home
    from bicoastal.twin.twin import Twin

_STEP_S = 60.0
"""Of CloudWatch, at the real pace."""
_POINTS = 60
"""Of a chart."""


def twin_console(home: Home, spec: Path, subject: Subject, twin: Twin, reports: Path) -> Console:
    """Listens already; serves when it is started. Raises SystemFault."""
    endpoint, ground = administrator(home.cloud), twin.ground
    key, secret = endpoint.access_key_id, endpoint.secret_access_key
    session = Session.at(endpoint.url, key, secret, log=CallLog(most=0), attempts=1, read_timeout_s=READ_S)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **endpoint.environment,
        "AWS_REGION": subject.standby,
        "AWS_DEFAULT_REGION": subject.standby,
        "BICOASTAL_HOME": str(home.root),
        "BICOASTAL_DATABASE_CA": str(ground.authority.certificate),
        "XDG_STATE_HOME": str(home.root / "state"),
    }
    step_s = ground.pace.seconds(_STEP_S)
    # CloudWatch takes periods of 1, 5, 10 and 30 s, and multiples of 60.
    clock = Clock(step_s, 60 if step_s >= 60 else 1, _POINTS * step_s)
    names = Names(
        subject.domain,
        (ground.addresses.resolver, reachable_port(DNS)),
        {region: str(ground.addresses.users(region)[1]) for region in subject.regions},
    )
    return console(
        Deployment(subject, spec, session, environment, home.root / "state"),
        Rhythm(clock=clock, hint=lambda number, wait_s: int(ask(endpoint, f"changes?after={number}&wait={wait_s:g}"))),
        keep=console_key(home),
        reports=reports,
        twin=TwinSide(ground.pace, twin.faults, names, _pages(twin), REGIONS_S),
    )


def _pages(twin: Twin) -> Mapping[str, str]:
    return {region: twin.front_door.url(region) for region in twin.ground.regions}
