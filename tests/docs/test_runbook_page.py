"""The runbook is what the operations' table says, each row of it can be done by hand, and its lines are a shell's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bicoastal.operate.transitions import TABLES, Step
from tools.runbook import BREAK_GLASS_TITLE, FUNCTIONS, IN_REGION_TITLE, PAGE, lines_of, page
from tools.runbook_deeds import DEEDS


def test_the_page_is_the_tables() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tools.runbook"


def test_every_row_and_nothing_else_is_done_by_hand() -> None:
    rows = {(operation, row.step) for operation, table in TABLES.items() for row in table if row.step is not Step.DONE}
    assert set(DEEDS) == rows


@pytest.mark.parametrize(
    ("section", "steps"),
    [
        *((operation, len(table) - 1) for operation, table in TABLES.items()),
        (IN_REGION_TITLE, 1),
        (BREAK_GLASS_TITLE, 2),
    ],
)
def test_its_lines_can_be_pasted_into_any_shell(section: str, steps: int) -> None:
    lines = lines_of(PAGE.read_text(), section)
    assert len(lines) == 1 + steps, "those of the top, and a block for each row but the last"
    done = subprocess.run(
        ["sh", "-n"], input="\n".join(lines), capture_output=True, text=True, timeout=30, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def shell(folder: Path, lines: str, typed: str = "") -> str:
    """What lines say after those of the page's top, with nothing of AWS; `no` where they fail."""
    done = subprocess.run(
        ["sh", "-eu", "-c", f"{FUNCTIONS.read_text()}\n{lines}"],
        cwd=folder,
        input=typed,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout if done.returncode == 0 else "no"


def test_a_ledger_of_tags_is_read_whoever_wrote_it(tmp_path: Path) -> None:
    lines = "arn:b\tmode\tNone\narn:a\tcost-center\t7\narn:b\tcost-center\t8\narn:a\tmode\told\n"
    known = {"arn:a": {"cost-center": "7", "mode": "old"}, "arn:b": {"cost-center": "8", "mode": None}}
    assert json.loads(shell(tmp_path, "ledger", lines)) == known
    assert json.loads(shell(tmp_path, "ledger")) == {}
    (tmp_path / "by-hand.json").write_text(shell(tmp_path, "ledger", lines))
    (tmp_path / "bicoastal.json").write_text(json.dumps(known, indent=1))
    for file in ("by-hand.json", "bicoastal.json"):
        assert shell(tmp_path, f"before mode {file}") == "arn:a\told\narn:b\tNone\n"


def status(*, slots: dict[str, str], done: bool = True) -> str:
    """What a kit says, as far as the lines read it."""
    fence = {"reason": "switchover", "epoch": 3, "since": "12:00", "done": done}
    found = [{"name": name, "other_region": name == "other", "state": state} for name, state in slots.items()]
    return json.dumps(
        {"at": "now", "database": {"role": "replica", "epoch": 2, "fence": fence, "slots": found}}, indent=2
    )


@pytest.mark.parametrize(
    ("slots", "streaming"),
    [({"own": "streaming"}, False), ({"own": "streaming", "other": "catchup"}, False), ({"other": "streaming"}, True)],
)
def test_only_the_other_regions_replica_is_waited_for(
    tmp_path: Path, slots: dict[str, str], *, streaming: bool
) -> None:
    (tmp_path / "said.json").write_text(status(slots=slots))
    assert (shell(tmp_path, "kit() { cat said.json; }\nstreams") != "no") is streaming


@pytest.mark.parametrize(("epoch", "done", "arrived"), [(3, True, True), (3, False, False), (2, True, False)])
def test_a_fence_has_arrived_with_its_epoch_and_nobody_left(
    tmp_path: Path, epoch: int, *, done: bool, arrived: bool
) -> None:
    (tmp_path / "said.json").write_text(status(slots={}, done=done))
    assert (shell(tmp_path, f"EPOCH={epoch}\nkit() {{ cat said.json; }}\nreplayed") != "no") is arrived


@pytest.mark.parametrize(
    ("change", "begun"),
    [
        ("Modify\tDatabaseInstance\tAWS::RDS::DBInstance\tConditional\n", True),
        ("Modify\tDatabaseInstance\tAWS::RDS::DBInstance\tTrue\n", False),
        ("Modify\tDatabaseInstance\tAWS::RDS::DBInstance\tFalse\nModify\tA\tAWS::KMS::Key\tFalse\n", False),
        ("", False),
    ],
)
def test_nothing_but_a_promotion_is_begun_as_one(tmp_path: Path, change: str, *, begun: bool) -> None:
    (tmp_path / "change.txt").write_text(change)
    assert (shell(tmp_path, "execute() { echo begun; }\npromote") == "begun\n") is begun
