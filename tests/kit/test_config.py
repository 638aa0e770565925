"""kit.json: what is taken, and what is said about the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bicoastal.kit.config import load, parse
from bicoastal.kit.errors import ConfigurationError

MINIMAL: dict[str, Any] = {
    "region": "us-east-1",
    "other_region": "us-west-2",
    "bucket": "artifacts",
    "application": {"version": "1", "port": "8080", "health_path": "/healthz"},
    "database": {"name": "app", "host": "db", "port": "5432", "secrets": {"app": "a", "kit": "k"}},
    "gate": {"port": 8099},
    "witness": {"name": "witness.us-east-1.example.com"},
}


def test_a_minimal_file_has_the_documented_defaults() -> None:
    config = parse(MINIMAL)
    assert config.application.port == 8080, "CloudFormation makes texts of numbers"
    assert config.app_folder == Path("/opt/bicoastal/app")
    assert config.replica_slot_prefix == "rds_us_west_2_"
    assert (config.metrics.host, config.metrics.port) == ("127.0.0.1", 8125)
    assert (config.intervals.tick, config.intervals.isolation, config.intervals.lift) == (1, 15, 30)
    assert config.database.other_host is None
    assert parse({**MINIMAL, "database": {**MINIMAL["database"], "other_host": ""}}).database.other_host is None


def test_what_differs_on_a_machine_is_laid_over_it(tmp_path: Path) -> None:
    path = tmp_path / "kit.json"
    path.write_text(json.dumps({**MINIMAL, "intervals": {"tick": 2, "witness": 3}}))
    assert (load(path).listen, load(path).loopback) == ("0.0.0.0", "127.0.0.1")
    (tmp_path / "kit.local.json").write_text(
        json.dumps({"listen": "127.0.7.1", "witness": {"resolvers": ["127.0.0.2:53"]}, "intervals": {"tick": 0.1}})
    )
    config = load(path)
    assert (config.listen, config.loopback) == ("127.0.7.1", "127.0.7.1")
    assert config.witness.name == MINIMAL["witness"]["name"]
    assert config.witness.resolvers == ("127.0.0.2:53",)
    assert (config.intervals.tick, config.intervals.witness) == (0.1, 3)
    (tmp_path / "kit.local.json").write_text('{"lisen": "x"}')
    with pytest.raises(ConfigurationError, match=r"kit\.json with kit\.local\.json: lisen is not known"):
        load(path)


def test_the_example_of_the_documentation_is_taken() -> None:
    text = (Path(__file__).parents[2] / "docs" / "kit.md").read_text()
    config = parse(json.loads(text.split("```json\n")[1].split("```")[0]))
    assert config.signal is not None
    assert config.signal.resource == "Fleet"


def test_every_key_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "kit.md").read_text()
    for key in (
        "root",
        "listen",
        "bucket",
        "application.release_command",
        "database.replica_slot_prefix",
        "witness.resolvers",
    ):
        assert f"`{key}`" in text
    for name in ("tick", "witness", "isolation", "lift", "database_timeout", "health"):
        assert f"`{name}`" in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"regoin": "x"}, "regoin is not known; known here: region,"),
        ({"region": None}, "region is missing"),
        ({"gate": {"port": "no"}}, 'gate.port must be a port number, not "no"'),
        ({"gate": {"port": 70000}}, "gate.port must be a port number, not 70000"),
        ({"gate": {"port": True}}, "gate.port must be a port number, not true"),
        ({"gate": 5}, "gate must be an object, not 5"),
        ({"root": "relative"}, 'root must be an absolute path, not "relative"'),
        ({"intervals": {"tick": 0}}, "intervals.tick must be a number of seconds above 0, not 0"),
        ({"intervals": {"tick": "nan"}}, "intervals.tick must be a number of seconds above 0"),
        ({"intervals": {"ticks": 1}}, "intervals.ticks is not known"),
        ({"witness": {"name": "w", "resolvers": [1]}}, "witness.resolvers must be a list of strings, not [1]"),
        ({"application": {**MINIMAL["application"], "environment": {"A": 1}}}, "must be an object of strings"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse({**MINIMAL, **change})
    assert said in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"No such file or directory\. Name the file with --config"):
        load(tmp_path / "none.json")
    (tmp_path / "kit.json").write_text("{")
    with pytest.raises(ConfigurationError, match="is not JSON"):
        load(tmp_path / "kit.json")
