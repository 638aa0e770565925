"""Bootstrap as a master that is no superuser: twice, at once, after a changed password, on the wrong server."""

from __future__ import annotations

import json
import subprocess
import threading
from base64 import b64encode

import psycopg
import pytest
from scramp.core import ScramMechanism

from bicoastal.kit.bootstrap import scram_verifier
from tests.kit.conftest import Launch
from tests.support.instance import PASSWORDS, Instance
from tests.support.postgres import Pair, Postgres

FOUND = (
    "SELECT relname, relowner::regrole::text, relacl::text FROM pg_class WHERE relnamespace = 'bicoastal'::regnamespace"
)


def release(instance: Instance, text: str, version: str = "0f3a9c2be7714d58") -> None:
    """Put a release command on the instance."""
    folder = instance.folder / "root" / "app"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "release.sh").write_text(text)
    instance.change(application={"release_command": "sh release.sh", "version": version})


@pytest.mark.postgres
def test_it_is_idempotent(primary: Postgres, home: Instance) -> None:
    before = sorted(primary.query(FOUND))
    members = sorted(primary.query("SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members"))
    primary.query("SELECT bicoastal.unfence(7)", "kit", PASSWORDS["kit"])

    home.answer("bootstrap")

    assert sorted(primary.query(FOUND)) == before
    assert sorted(primary.query("SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members")) == members
    assert primary.query("SELECT epoch FROM bicoastal.state") == [(7,)]


@pytest.mark.postgres
def test_at_once_from_two_places_the_release_runs_once(primary: Postgres, launch: Launch) -> None:
    instances = [launch(primary), launch(primary)]
    log = instances[0].folder / "released"
    for instance in instances:
        release(instance, f"sleep 0.3; echo once >> {log}\n")
    results: list[subprocess.CompletedProcess[str]] = []
    threads = [threading.Thread(target=lambda it=it: results.append(it.kit("bootstrap"))) for it in instances]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [done.returncode for done in results] == [0, 0], results
    assert sorted(str(json.loads(done.stdout)["released"]) for done in results) == ["0f3a9c2be7714d58", "None"]
    assert log.read_text() == "once\n"


@pytest.mark.postgres
def test_a_changed_password_is_carried_over(primary: Postgres, home: Instance) -> None:
    home.aws.set_credential("app", "quite-another-password")
    home.answer("bootstrap")

    assert primary.query("SELECT 1", "app", "quite-another-password") == [(1,)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        primary.query("SELECT 1", "app", PASSWORDS["app"])


@pytest.mark.postgres
def test_the_release_command_runs_as_the_owner_once_per_version(primary: Postgres, home: Instance) -> None:
    script = home.folder / "root" / "app" / "make.py"
    release(home, 'echo "$DATABASE_URL" > url; python3 make.py\n')
    script.write_text(
        "import os, psycopg\n"
        "with psycopg.connect(os.environ['DATABASE_URL']) as s:\n    s.execute('CREATE TABLE made (a int)')\n"
    )
    assert home.answer("bootstrap")["released"] == "0f3a9c2be7714d58"
    assert home.answer("bootstrap")["released"] is None
    assert primary.query("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'made'") == [("owner",)]
    primary.query("INSERT INTO made VALUES (1)", "app", PASSWORDS["app"])
    assert (script.parent / "url").read_text().startswith("postgresql://owner:owner-password-of-tests@127.0.0.1:")

    release(home, "echo broken; exit 7\n", version="1111111111111111")
    failed = home.kit("bootstrap")
    assert failed.returncode == 1
    assert "ended with exit code 7" in failed.stderr
    assert primary.query("SELECT version FROM bicoastal.release") == [("0f3a9c2be7714d58",)]


@pytest.mark.postgres
def test_a_replica_and_a_fenced_database_are_refused(pair: Pair, home: Instance, launch: Launch) -> None:
    away = launch(pair.replica, region="us-west-2")
    on_replica = away.kit("bootstrap")
    assert on_replica.returncode == 1
    assert "the database in us-west-2 is a replica; bootstrap in us-east-1" in on_replica.stderr

    home.answer("fence", "--epoch", "2", "--reason", "superseded")
    fenced = home.kit("bootstrap")
    assert fenced.returncode == 1
    assert "the database is fenced (superseded)" in fenced.stderr
    assert pair.primary.query("SELECT fence_reason FROM bicoastal.state") == [("superseded",)]
    assert home.kit("probe").returncode == 1


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("CREATE TABLE public.own (a int); ALTER TABLE public.own OWNER TO app", "role app owns own"),
        ("CREATE ROLE reports LOGIN; GRANT bicoastal_writer TO reports", "bicoastal_writer is granted to reports"),
        ("CREATE SCHEMA open; GRANT CREATE ON SCHEMA open TO PUBLIC", "role app may create in the schema open"),
        ("GRANT pg_write_all_data TO app", "role app is a member of pg_write_all_data"),
    ],
)
def test_what_a_fence_would_not_bind_is_refused(primary: Postgres, home: Instance, statement: str, said: str) -> None:
    primary.query(statement)
    done = home.kit("bootstrap")
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.postgres
def test_secrets_that_cannot_be_used(primary: Postgres, launch: Launch) -> None:
    instance = launch(primary)
    instance.aws.set_credential("app", "short")
    assert "16 or more printable ASCII" in instance.kit("bootstrap").stderr
    instance.aws.set_secret("app", json.dumps({"username": "application", "password": "x" * 20}))
    assert "is for the user 'application'; it must be for 'app'" in instance.kit("bootstrap").stderr
    instance.aws.set_secret("app", "not json")
    done = instance.kit("bootstrap")
    assert (done.returncode, "is not {" in done.stderr) == (2, True)


def test_the_stored_password_is_what_scram_says() -> None:
    salt = bytes(range(16))
    mechanism = ScramMechanism("SCRAM-SHA-256")
    made = mechanism.make_auth_info("a-password-of-tests", iteration_count=4096, salt=salt)
    salted, stored, server = (b64encode(item).decode() for item in made[:3])
    assert scram_verifier("a-password-of-tests", salt=salt) == f"SCRAM-SHA-256$4096:{salted}${stored}:{server}"
