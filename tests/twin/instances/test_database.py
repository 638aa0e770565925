"""With a real database: a bootstrap instance prepares it and tells its outcome, and a fleet's beats its heart."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import DATABASE, Laboratory, Postgres, running, wait_until
from tests.twin.instances.conftest import BUCKET, DEADLINE_S, SERVER, Site, console


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    """A primary before any bootstrap."""
    with running(Laboratory().cluster("east")) as server:
        yield server


def test_a_bootstrap_instance_and_then_one_that_serves(site: Site, database: Postgres, tmp_path: Path) -> None:
    folder = tmp_path / "application"
    folder.mkdir()
    (folder / "server.py").write_text(SERVER)
    authority = database.laboratory.authority.certificate.read_bytes()
    data = site.bootstrap_data(
        folder,
        port=database.port,
        certificates=authority,
        command="python3.11 server.py",
        release_command="echo released",
    )
    id_ = site.launch(data)
    machine = site.booted(id_)
    outcome: list[str] = []

    def told() -> bool:
        with contextlib.suppress(Exception):
            body = site.client("s3").get_object(Bucket=BUCKET, Key=f"bootstrap/{id_}/outcome")["Body"]
            outcome.append(body.read().decode())
        return bool(outcome)

    wait_until(f"the outcome is told\n{console(machine)}", told, DEADLINE_S)
    assert outcome[0].splitlines()[0] == "succeeded", outcome[0]
    assert "released" in outcome[0]
    assert site.state(id_) == "running", "it ends by its document, or its own timer"

    serving = site.booted(
        site.launch(
            site.user_data(folder, command="exec python3.11 server.py", port=database.port, certificates=authority)
        )
    )

    def beats() -> bool:
        rows = database.query("SELECT instance, region FROM bicoastal.heartbeat", "rdsadmin", "", DATABASE)
        return rows == [(serving.id, "us-east-1")]

    wait_until(f"the heart beats\n{console(serving)}", beats, DEADLINE_S)
    said = serving.shell(
        "PYTHONPATH=/opt/bicoastal/kit python3.11 -m bicoastal.kit status --config /opt/bicoastal/etc/kit.json", 30
    )
    status = json.loads(said.output)
    assert (status["database"]["role"], status["gate"]["serving"]) == ("primary", True)
    assert status["instance"] == {"id": serving.id, "zone": "us-east-1b"}
