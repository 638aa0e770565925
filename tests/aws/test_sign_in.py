"""Whoever has no credentials, or gives no code where a profile asks for one, is told so before anything is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bicoastal.aws.session import Session
from bicoastal.core.errors import SystemFault

PROFILE = """\
[profile responder]
role_arn = arn:aws:iam::111122223333:role/responder
source_profile = me
mfa_serial = arn:aws:iam::111122223333:mfa/me
region = us-east-1
[profile me]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = secret
"""


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No credentials but those of a file."""
    file = tmp_path / "config"
    file.write_text(PROFILE)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return file


def test_without_credentials_nothing_is_asked() -> None:
    with pytest.raises(SystemFault, match="signing in: no AWS credentials were found"):
        Session().sign_in()


def test_credentials_that_are_there_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "me")
    Session().sign_in()


def test_no_code_is_no_traceback(nobody: Path) -> None:
    """In a session without a terminal, where the prompt finds the end of its input: a job that nobody watches."""
    done = subprocess.run(
        [sys.executable, "-c", "from bicoastal.aws.session import Session; Session().sign_in()"],
        env={**os.environ, "AWS_PROFILE": "responder"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
        check=False,
    )
    assert nobody.exists()
    assert "SystemFault: signing in: the profile needs a code of your MFA device" in done.stderr
