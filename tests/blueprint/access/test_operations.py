"""The kit's documents: what they run is a command line that the kit takes, whatever text an operator gives."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.deployed import deployed, of_type, plain
from tests.support.specs import spec

Json = Any
STACK = deployed(spec()).stacks["access/us-east-1"]
DOCUMENTS = {
    name: plain(document.get("Content"))
    for name, document in of_type(STACK, "AWS::SSM::Document").items()
    if document.get("DocumentType") == "Command"
}
GIVEN = {
    "Epoch": "12",
    "Reason": "INC-42: us-east-1 is lost @ 04:10, see #ops",
    "Snapshot": "795:801:797,799",
    "After": "0",
    "Host": "orders-production-restored-20261127-0500-1a2b.c0123456789a.us-east-1.rds.amazonaws.com",
}


def test_there_is_one_for_each_verb() -> None:
    verbs = ("Census", "Diverged", "Fence", "Probe", "Status", "Unfence")
    assert sorted(DOCUMENTS) == [f"Kit{verb}Document" for verb in verbs]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_kit_takes_the_command(name: str, tmp_path: Path) -> None:
    """It gets as far as the configuration, which is not here: the arguments were understood."""
    (step,) = DOCUMENTS[name]["mainSteps"]
    (command,) = step["inputs"]["runCommand"]
    for parameter, value in GIVEN.items():
        command = command.replace(f"{{{{ {parameter} }}}}", value)
    command = command.replace("python3.11", sys.executable).replace("PYTHONPATH=/opt/bicoastal/kit ", "")
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} --config {tmp_path / 'kit.json'}"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 2
    assert "usage:" not in done.stderr
    assert "kit.json" in done.stderr


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_parameter_can_leave_its_quotes(name: str) -> None:
    document = DOCUMENTS[name]
    (command,) = document["mainSteps"][0]["inputs"]["runCommand"]
    for parameter, body in document.get("parameters", {}).items():
        assert f"'{{{{ {parameter} }}}}'" in command
        for text in ("'", "'; reboot; '", "$(reboot)", "`reboot`", "a\nb", "\\", '"'):
            assert not re.fullmatch(body["allowedPattern"], text)
        assert re.fullmatch(body["allowedPattern"], GIVEN[parameter])
