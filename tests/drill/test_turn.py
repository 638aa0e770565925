"""Lanes take turns: who measures is alone, who is busy may be so beside others, and who is killed gives it back."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bicoastal.drill.turn import Turn


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    file = tmp_path / "turn"
    file.touch()
    return file


def waits(shared: Path, how: str, entered: threading.Event) -> threading.Thread:
    def enter() -> None:
        with getattr(Turn(shared), how)():
            entered.set()

    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("mine", "other", "together"),
    [("busy", "busy", True), ("alone", "busy", False), ("busy", "alone", False), ("alone", "alone", False)],
)
def test_who_is_alone_and_who_is_not(shared: Path, mine: str, other: str, *, together: bool) -> None:
    turn, entered = Turn(shared), threading.Event()
    with getattr(turn, mine)():
        with turn.busy():
            """Whoever has it may ask again, and keeps what he has."""
        thread = waits(shared, other, entered)
        assert entered.wait(5 if together else 0.2) is together
    thread.join(5)
    assert entered.is_set()


def test_without_others_it_is_always_ones_turn() -> None:
    with Turn().alone(), Turn().alone():
        pass


def test_who_is_killed_gives_it_back(shared: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from bicoastal.drill.turn import Turn\n"
        "with Turn(Path(sys.argv[1])).alone(): print('has it', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program, shared], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "has it\n"
        entered = threading.Event()
        thread = waits(shared, "alone", entered)
        assert not entered.wait(0.2)
        other.send_signal(signal.SIGKILL)
    thread.join(10)
    assert entered.is_set()
