"""The folder of a twin: one owner, and open to the account that runs servers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bicoastal.core.errors import SystemFault
from bicoastal.twin.home import Home, default_folder


def test_one_twin_owns_it(home: Home) -> None:
    assert home.owner() == os.getpid()
    with pytest.raises(SystemFault, match=f"already runs here, as process {os.getpid()}"):
        Home(home.root).acquire()
    home.release()
    assert home.owner() is None
    with Home(home.root):
        pass


def test_looking_who_owns_it_takes_it_from_nobody(home: Home) -> None:
    """`up --detach` looks many times a second while its child takes the lock."""
    home.release()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            assert Home(home.root).owner() in {None, os.getpid()}

    with ThreadPoolExecutor(4) as lookers:
        looking = [lookers.submit(look) for _ in range(4)]
        try:
            for _ in range(2000):
                with Home(home.root) as mine:
                    assert mine.owner() == os.getpid()
        finally:
            stop.set()
        for each in looking:
            each.result()


def test_a_killed_owner_owns_nothing(home: Home) -> None:
    home.release()
    script = (
        "import os, sys; from pathlib import Path; from bicoastal.twin.home import Home; "
        "Home(Path(sys.argv[1])).acquire(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, home.root], check=False, timeout=20)
    assert home.owner() is None


def test_servers_can_make_their_folders(home: Home) -> None:
    path = home.databases("us-east-1", "orders-db-g1")
    assert not path.exists()
    assert path.parent.stat().st_uid == home.account.user_id
    assert home.account.can_reach(path.parent)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as somebody else")
def test_a_folder_that_servers_cannot_enter_is_refused(home: Home) -> None:
    closed = home.root / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(SystemFault, match="'nobody', who runs servers, cannot enter"):
        Home(closed / "twin").acquire()


def test_a_path_that_is_a_file_is_refused(home: Home) -> None:
    (home.root / "file").touch()
    with pytest.raises(SystemFault, match="cannot be used: File exists"):
        Home(home.root / "file").acquire()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as somebody else")
def test_programs_that_servers_cannot_read_are_copied_once(home: Home) -> None:
    tree = home.root / "closed" / "postgresql"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "postgres").touch()
    assert home.program(tree) == tree
    (home.root / "closed").chmod(0o700)
    copy = home.program(tree)
    assert (copy / "bin" / "postgres").exists()
    assert home.account.can_reach(copy / "bin")
    assert home.program(tree) == copy


def test_users_have_their_own_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    expected = "/var/lib/bicoastal/twin" if os.geteuid() == 0 else "/state/bicoastal/twin"
    assert default_folder() == Path(expected)


def test_a_disk_with_too_little_room_is_refused_before_anything_is_written(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.release()
    monkeypatch.setattr("bicoastal.twin.home.NEEDS", 2**62)
    with pytest.raises(SystemFault, match="MiB are free on its disk, and a twin needs"):
        Home(home.root).acquire()
    assert home.owner() is None
