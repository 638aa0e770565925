"""The process: on the loopback interface alone, ended with its parent, and found again with what it knew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError

from bicoastal.core.errors import SystemFault
from bicoastal.twin.cloud.process import Cloud, Endpoint
from tests.support.cloudformation import Account


def test_it_listens_on_the_loopback_interface_alone(cloud: Cloud) -> None:
    assert cloud.pid is not None
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(cloud.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


def test_it_prints_nothing_and_writes_only_into_its_folder(cloud: Cloud) -> None:
    assert cloud.pid is not None
    inside = {str(cloud.folder.resolve()), sys.prefix, "/proc", "/dev", "/usr", "/lib", "/etc"}
    for file in psutil.Process(cloud.pid).open_files():
        assert file.mode == "r" or any(file.path.startswith(prefix) for prefix in inside)
    assert (cloud.folder / "cloud.log").read_text() == ""


def test_two_at_once_know_nothing_of_each_other(cloud: Cloud, folder: Path) -> None:
    with Cloud(folder) as other:
        Account(other.endpoint).client("sns").create_topic(Name="theirs")
        assert Account(cloud.endpoint).client("sns").list_topics()["Topics"] == []
        assert other.endpoint.access_key_id != cloud.endpoint.access_key_id


def test_a_key_of_another_twin_is_unknown(cloud: Cloud, folder: Path) -> None:
    with Cloud(folder) as other:
        stranger = Endpoint(**{**other.endpoint.__dict__, "url": cloud.endpoint.url})
        with pytest.raises(ClientError, match="AuthFailure"):
            Account(stranger).client("ec2").describe_vpcs()


def test_what_it_knew_is_there_after_a_restart(folder: Path) -> None:
    with Cloud(folder) as first:
        account = Account(first.endpoint)
        account.client("sns", "us-west-2").create_topic(Name="kept")
        account.client("ssm", "us-west-2").create_document(
            Name="kept", DocumentType="Command", Content='{"schemaVersion": "2.2", "mainSteps": []}'
        )
        account.client("s3").create_bucket(Bucket="kept-bucket")
        account.client("s3").put_object(Bucket="kept-bucket", Key="a/b", Body=b"content")
        key = first.endpoint.access_key_id
    with Cloud(folder) as second:
        account = Account(second.endpoint)
        assert second.endpoint.access_key_id == key
        assert len(account.client("sns", "us-west-2").list_topics()["Topics"]) == 1
        assert account.client("ssm", "us-west-2").describe_document(Name="kept")["Document"]["Status"] == "Active"
        assert account.client("s3").get_object(Bucket="kept-bucket", Key="a/b")["Body"].read() == b"content"


def test_it_ends_with_its_parent_however_that_ends(folder: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from bicoastal.twin.cloud.process import Cloud\n"
        "cloud = Cloud(Path(sys.argv[1])); cloud.start(); cloud.wait_until_ready(); print(cloud.pid, flush=True)\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(5)
    parent.stdout.close()
    child.wait(10)
    assert not child.is_running()


def test_stopping_leaves_no_process_and_no_endpoint(folder: Path) -> None:
    cloud = Cloud(folder)
    cloud.start()
    cloud.wait_until_ready()
    assert cloud.pid is not None
    process = psutil.Process(cloud.pid)
    started = time.monotonic()
    cloud.stop()
    assert not process.is_running()
    assert not (folder / "endpoint.json").exists()
    assert time.monotonic() - started < 5


def test_a_folder_that_cannot_hold_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "tmp").write_text("in the way")
    cloud = Cloud(tmp_path)
    cloud.start()
    with pytest.raises(SystemFault, match="did not start"):
        cloud.wait_until_ready()
