"""What is on an instance's PATH before this machine's own programs: an interpreter, `aws`, `systemctl`, `shutdown`.

The interpreter is the one that runs us, without its site-packages: what an application needs is in its bundle, and a
module that it finds here and nowhere else would be found out on AWS only. Where the account that runs servers cannot
read ours, it is copied once.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import threading
from pathlib import Path

from bicoastal.core.errors import SystemFault
from bicoastal.twin.home import Home
from bicoastal.twin.instances import tool
from bicoastal.twin.processes import Program, run

TOOLS = ("aws", "systemctl", "shutdown", "poweroff", "reboot", "halt", "amazon-cloudwatch-agent-ctl")
_NAMES = ("python3.11", "python3")
"""What an Amazon Linux 2023 with the package python3.11 calls it, whatever version it is here."""
_LEFT_OUT = frozenset({
    "site-packages", "dist-packages", "test", "idlelib", "turtledemo", "tkinter", "ensurepip", "lib2to3",
})  # fmt: skip
_CHECK_S = 20.0
_lock = threading.Lock()


def install(home: Home, desk: str) -> Path:
    """The folder for the PATH, made when it is not there; `desk` is the name that the tools ask. Raises SystemFault."""
    with _lock:
        try:
            tree = _interpreter(home)
            folder = home.root / "programs" / "instance"
            folder.mkdir(parents=True, exist_ok=True, mode=0o755)
            for name in _NAMES:
                _link(folder / name, tree / "bin" / _versioned())
            text = Path(tool.__file__).read_text().replace("@DESK@", desk)
            script = f"#!{tree / 'bin' / _versioned()} -IS\n{text}"
            for name in TOOLS:
                _write(folder / name, script)
        except OSError as error:
            raise SystemFault(f"{error.filename or home.root}: cannot be made: {error.strerror}.") from error
        return folder


def remove_tree(folder: Path) -> None:
    """Remove an instance's disk. What cannot be removed is left: a folder that somebody looks into, say."""
    shutil.rmtree(folder, ignore_errors=True)


def _versioned() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def _interpreter(home: Home) -> Path:
    """A prefix of its own: Python takes for its library what lies beside its program."""
    program = Path(sys.base_prefix, "bin", _versioned()).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    reachable = home.account.can_reach(program) and home.account.can_reach(library / "os.py")
    made = f"python-{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    tree = home.root / "programs" / f"{made}-{library.stat().st_mtime_ns:x}{'' if reachable else '-copied'}"
    if tree.exists():
        return tree
    partial = tree.with_name(f"{tree.name}.{os.getpid()}.part")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "bin").mkdir(parents=True, mode=0o755)
    place = partial / sys.platlibdir / _versioned()
    (place / "site-packages").mkdir(parents=True)
    for item in library.iterdir():
        if item.name not in _LEFT_OUT and not item.name.startswith("config-"):
            _bring(item, place / item.name, link=reachable)
    for item in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
        target = partial / "lib" / item.name
        target.parent.mkdir(exist_ok=True)
        _bring(item, target, link=reachable)
    _bring_program(program, partial / "bin" / _versioned(), reachable=reachable)
    for folder in (partial, *partial.rglob("*")):
        if folder.is_dir() and not folder.is_symlink():
            folder.chmod(0o755)
    partial.rename(tree)
    # Said here, and not by the first unit of the first instance.
    run(home, Program("interpreter", (tree / "bin" / _versioned(), "-c", "import ctypes, ssl")), _CHECK_S)
    return tree


def _bring(item: Path, target: Path, *, link: bool) -> None:
    if link:
        target.symlink_to(item.resolve())
    elif item.is_dir():
        shutil.copytree(item, target, ignore=shutil.ignore_patterns("*.opt-?.pyc", "test", "tests", "idle_test"))
    else:
        shutil.copy2(item, target)


def _bring_program(program: Path, target: Path, *, reachable: bool) -> None:
    """A copy always: through a link Python would find its former prefix, and the site-packages there."""
    data = program.read_bytes()
    if not reachable:
        # As chrpath does it: the program looks for its library beside itself, not where nobody may enter.
        old = str(sysconfig.get_config_var("LIBDIR") or "").encode()
        new = b"$ORIGIN/../lib"
        if old and len(new) <= len(old):
            data = data.replace(old + b"\0", new + b"\0" * (len(old) - len(new) + 1))
    target.write_bytes(data)
    target.chmod(0o755)


def _link(path: Path, target: Path) -> None:
    if not path.is_symlink() or path.readlink() != target:
        path.unlink(missing_ok=True)
        path.symlink_to(target)


def _write(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text:
        return
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(text)
    partial.chmod(0o755)
    partial.replace(path)
