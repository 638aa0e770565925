"""The program that runs a document's Python: `python script.py FOLDER`, with a role's credentials in its environment.

It reads `job.json` from the folder once `go` is opened, and writes `answer.json`. Being started before its step, it has
boto3 ready by then. It is no part of the twin's process: what a script does, it does as somebody who holds the role.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from pathlib import Path
from typing import Any


def main(folder: Path) -> None:
    """Wait for the job, run its handler, write what it returned or how it failed."""
    # Ready before the job comes; the document's script imports it.
    importlib.import_module("boto3")
    (folder / "go").read_bytes()
    job = json.loads((folder / "job.json").read_text())
    try:
        answer = {"payload": _run(job["script"], job["handler"], job["payload"])}
    except BaseException as error:
        lines = traceback.format_exception(error)
        answer = {"error": f"{type(error).__name__} - {error}", "trace": "".join(lines)[-4000:]}
    partial = folder / "answer.part"
    partial.write_text(json.dumps(answer, default=str))
    partial.rename(folder / "answer.json")


def _run(script: str, handler: str, payload: Any) -> Any:
    names: dict[str, Any] = {"__name__": "script"}
    exec(compile(script, "script.py", "exec"), names)  # noqa: S102 - it is what the document asks for
    return names[handler](payload, {})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
