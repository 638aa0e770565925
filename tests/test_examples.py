"""examples/orders is what the commands write today: `make examples` renews it."""

from __future__ import annotations

from pathlib import Path

from bicoastal.spec.starter import write_starter
from tools.examples import ORDERS, deployment_files


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_committed_deployment_is_what_synth_writes() -> None:
    committed = {name: data.decode() for name, data in contents(ORDERS / "deployment").items()}
    written = deployment_files()
    assert sorted(committed) == sorted(written)
    assert [name for name in committed if committed[name] != written[name]] == [], "stale: run `make examples`"


def test_the_committed_example_is_what_init_writes(tmp_path: Path) -> None:
    write_starter(tmp_path / "orders")
    fresh = contents(tmp_path / "orders")
    committed = {name: data for name, data in contents(ORDERS).items() if not name.startswith("deployment/")}
    assert committed == fresh
