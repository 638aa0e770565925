"""Writes docs/operations.md: the operations as their one table has them, and what their commands are for.

python -m tools.operations
"""

from __future__ import annotations

from pathlib import Path

from bicoastal.operate.transitions import TABLES, Operation, Step, Transition

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operations.md"
_ABOUT = {
    Operation.FAILOVER: """\
The primary's region is lost: make the survivor the primary. `bicoastal failover [--to REGION] [--drain SECONDS]
[--force REASON] [--dry-run]`.

It asks the surviving region alone; what is seen and done in the lost one runs beside it and is waited for by
nobody. The guard refuses while the
primary is alive (that is a switchover), while reads outlast the drain, while more would be lost than the spec
promises, while RDS backs the replica up, and while
somebody changes a stack. What it does not know it does not pass. `--force` goes on, and is in the journal and on
the region's event bus.
`--in-region` is another thing: the database moves to its Multi-AZ standby, and nothing else changes.""",
    Operation.SWITCHOVER: """\
Both regions are there: move the primary without losing an acknowledged write. `bicoastal switchover --to REGION
[--drain SECONDS] [--dry-run]`.

Writes pause from `stop writes` to `raise the epoch`. Whatever fails before the promotion is undone, and so is
Ctrl-C. Killed, the same command goes on;
asked for the region that the writes were in, it lets them go on there.""",
    Operation.REJOIN: """\
The other region is there again, was left by a switchover, or has a replica that can follow no more (the WAL that it
lacks is gone): make a replica of it. `bicoastal rejoin [--without-list] [--dry-run]`.

It finds the primary by itself. The former primary is fenced before anything else and kept under its generation for
inspection. Rows that it alone has go to
a file here and to `operations/diverged/` in the survivor's bucket; which cannot be found so is in [kit.md](kit.md)
and [decisions.md](decisions.md).""",
    Operation.RESTORE: """\
Rows were deleted, a table was dropped: make a database of a recovery point, beside the live one. `bicoastal backup
restore RECOVERY_POINT|--latest|--before TIME --keep|--discard [--region REGION] [--dry-run]`; [backup.md](backup.md)
says what is compared, and how rows come back.

Its lock is one of its own: a restore takes hours for a large database and holds up no failover. It does not begin
while another operation is under way.""",
}
_HEAD = """\
# Operations
Written by `python -m tools.operations` from `src/bicoastal/operate/transitions.py`: a test holds this page to it.
The comments are the lines that the commands print.

Every operation looks at where things are, does one thing, and goes on; ended or killed anywhere, the same command
carries on. What it did is in a journal, JSON lines in
the acting region's artifact bucket (`operations/journal/`) and in the user's folder for state. An object in the
same bucket is its lock, for a switchover and a rejoin one in each region that answers: of two operators one wins, the
other is told who holds it. A lock whose process is gone, or that was not renewed for 30 s, is broken by one of those
who want it; a process that slept so long, on a closed laptop for instance, finds its lock taken when it wakes, does
nothing more and puts nothing back.
`bicoastal status` says who is the primary, whether it is protected, and what would stop a failover now.
"""


def page() -> str:
    """The text of the page."""
    parts = [_HEAD]
    for operation, table in TABLES.items():
        parts += [f"## {operation.value.capitalize()}", _ABOUT[operation], "", _diagram(table), "", _rows(table), ""]
    return "\n".join(parts).rstrip() + "\n"


def _diagram(table: tuple[Transition, ...]) -> str:
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f'    state "{row.state.value}" as {row.state.name}' for row in table]
    lines += [
        f"    {row.state.name} --> {row.then.name}: {row.step.value}" for row in table if row.step is not Step.DONE
    ]
    return "\n".join([*lines, "```"])


def _rows(table: tuple[Transition, ...]) -> str:
    lines = ["| state | step | why | back |", "|---|---|---|---|"]
    lines += [
        f"| {row.state.value} | {row.step.value} | {row.comment} | {'yes' if row.reversible else 'no'} |"
        for row in table
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page())
