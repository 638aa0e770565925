"""The application's environment: libpq and a shell read back what was meant."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from bicoastal.kit.aws_cli import Credential
from bicoastal.kit.config import parse
from bicoastal.kit.environment import database_url, read_credential, render
from bicoastal.kit.errors import ConfigurationError
from tests.kit.conftest import Launch
from tests.kit.test_config import MINIMAL
from tests.support.instance import Instance
from tests.support.postgres import Laboratory, Postgres

PASSWORD = "".join(map(chr, range(33, 127)))


def test_the_address_lists_this_region_first() -> None:
    config = parse({**MINIMAL, "database": {**MINIMAL["database"], "other_host": "far", "other_port": 5433}})

    read = conninfo_to_dict(database_url(config, Credential("app", PASSWORD), "read-write"))

    assert read == {
        "user": "app",
        "password": PASSWORD,
        "host": "db,far",
        "port": "5432,5433",
        "dbname": "app",
        "target_session_attrs": "read-write",
        "sslmode": "verify-full",
        "sslrootcert": "/opt/bicoastal/ca/rds.pem",
        "connect_timeout": "2",
        "tcp_user_timeout": "5000",
        "keepalives": "1",
        "keepalives_idle": "5",
        "keepalives_interval": "2",
        "keepalives_count": "3",
    }


def test_the_login_is_read_back_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "application.env"
    assert read_credential(file) is None
    given = Credential("app", PASSWORD)
    file.write_text(render({"A": "1", "DATABASE_URL": database_url(parse(MINIMAL), given, "read-write"), "Z": "$"}))
    assert read_credential(file) == given
    file.write_text('DATABASE_URL="postgresql://db/app"\n')
    assert read_credential(file) is None


def test_without_the_flow_only_this_region_is_listed() -> None:
    read = conninfo_to_dict(database_url(parse(MINIMAL), Credential("app", "x"), "any"))
    assert (read["host"], read["port"], read["target_session_attrs"]) == ("db", "5432", "any")


def test_the_application_listens_where_the_machine_says(launch: Launch, laboratory: Laboratory) -> None:
    instance = launch(Postgres(laboratory, "nobody"))
    assert 'HOST="0.0.0.0"' in _written(instance)
    instance.change(listen="127.0.7.1")
    assert 'HOST="127.0.7.1"' in _written(instance)


def _written(instance: Instance) -> str:
    return Path(instance.answer("environment")["written"]).read_text()


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r"), max_size=40)


@settings(max_examples=40)
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_a_shell_reads_back_every_value(values: list[str]) -> None:
    text = render({f"VALUE_{number}": value for number, value in enumerate(values)})
    script = text + "".join(f'printf "%s\\0" "$VALUE_{number}"\n' for number in range(len(values)))
    done = subprocess.run(["/bin/sh"], input=script.encode(), capture_output=True, timeout=10, check=True)
    assert done.stdout.decode().split("\0")[:-1] == values


def test_a_line_break_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="variable KEY: its value holds a line break"):
        render({"KEY": "a\nb"})


@pytest.mark.postgres
def test_the_file_is_whole_private_and_written_again(primary: Postgres, launch: Launch) -> None:
    instance = launch(primary, application={"environment": {"TITLE": "a $b"}, "secrets": {"API_KEY": "api-key"}})
    instance.aws.set_secret("api-key", 'se"cret')

    instance.answer("environment")

    path = instance.config.environment_file
    lines = dict(line.split("=", 1) for line in path.read_text().splitlines())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert lines["API_KEY"] == '"se\\"cret"'
    assert lines["TITLE"] == '"a \\$b"'
    assert lines["BICOASTAL_REGION"] == '"us-east-1"'
    assert lines["BICOASTAL_OTHER_REGION"] == '"us-west-2"'
    assert lines["BICOASTAL_INSTANCE_ID"] == f'"{instance.id}"'
    assert lines["BICOASTAL_AVAILABILITY_ZONE"] == '"us-east-1a"'
    assert lines["PORT"] == f'"{instance.settings["application"]["port"]}"'
    assert set(lines) >= {"HOST", "AWS_REGION", "DATABASE_URL", "DATABASE_READ_URL"}

    (instance.aws.folder / "secrets" / "api-key").unlink()
    failed = instance.kit("environment")
    assert failed.returncode == 3
    assert "aws secretsmanager get-secret-value" in failed.stderr
    assert path.read_text().count("\n") == len(lines), "the old file stays whole"
    assert [item.name for item in path.parent.iterdir()] == [path.name]
