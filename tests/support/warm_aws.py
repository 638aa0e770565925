"""The AWS CLI, loaded once: each call is a fork of one process, as many calls of a page would else load it each time.

`python -m tests.support.warm_aws SOCKET` serves until its standard input ends; `CLIENT` is the program that stands for
`aws`. What runs is the AWS CLI itself, with the caller's arguments, environment, folder and files.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

CLIENT = f"""\
#!{sys.executable} -SE
import json, os, socket, sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect(%r)
    endpoint = ["--endpoint-url", os.environ["AWS_ENDPOINT_URL"]]
    said = json.dumps([[*endpoint, *sys.argv[1:]], dict(os.environ), os.getcwd()]).encode()
    socket.send_fds(server, [len(said).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(said)
    code = server.recv(1)
sys.exit(code[0] if code else 255)
"""
"""With its endpoint, as `bicoastal env` has it: version 1 forgets AWS_ENDPOINT_URL for some services in us-east-1."""
_SERVICES = ("autoscaling", "cloudformation", "ec2", "elbv2", "rds", "resourcegroupstaggingapi", "route53", "s3", "ssm")
_READY_S = 30.0


@contextlib.contextmanager
def warm_aws(folder: Path) -> Iterator[Path]:
    """A program `aws` in this folder, for as long as it lasts."""
    address = folder / "aws.socket"
    program = folder / "aws"
    with subprocess.Popen(
        [sys.executable, "-m", __name__, str(address)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        try:
            if server.stdout is None or server.stdout.readline() != b"ready\n":
                raise AssertionError("the AWS CLI was not loaded")
            program.write_text(CLIENT % str(address))
            program.chmod(0o755)
            yield program
        finally:
            server.communicate(timeout=_READY_S)


def _serve(address: str) -> None:
    driver = import_module("awscli.clidriver").create_clidriver()
    loader = driver.session.get_component("data_loader")
    for service in _SERVICES:
        loader.load_service_model(service, "service-2")
        loader.load_service_model(service, "endpoint-rule-set-1")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen(64)
        threading.Thread(target=_ends_with_standard_input, daemon=True).start()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            caller, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _answer(driver, caller)
            caller.close()


def _ends_with_standard_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _answer(driver: Any, caller: socket.socket) -> None:
    """In a process of its own, which has the caller's files."""
    code = 255
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        head, files, _, _ = socket.recv_fds(caller, 4, 3)
        rest = b""
        while len(rest) < int.from_bytes(head, "big"):
            more = caller.recv(1 << 16)
            if not more:
                return
            rest += more
        arguments, environment, folder = json.loads(rest)
        for number, file in enumerate(files):
            os.dup2(file, number)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        try:
            code = driver.main(arguments)
        except SystemExit as said:
            code = said.code if isinstance(said.code, int) else 1
        sys.stdout.flush()
        sys.stderr.flush()
        caller.sendall(bytes([code]))
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
