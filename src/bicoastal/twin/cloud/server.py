"""The process that serves AWS's API: `python -m bicoastal.twin.cloud.server FOLDER PACE_FACTOR [PLANE ...]`.

It binds the loopback interface on a free port, announces itself in FOLDER/endpoint.json, and ends when its standard
input closes, saving its state. It prints nothing: what it has to say goes to the log that its parent gave it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from bicoastal.twin.cloud import planes
from bicoastal.twin.cloud.changes import CHANGES
from bicoastal.twin.cloud.process import ENDPOINT, Endpoint
from bicoastal.twin.memory import pass_over

ACCOUNT = "111122223333"
"""Of the kind that AWS uses in its own examples: no real account."""
SETTLE_S = 5.0
"""For stacks in progress when the twin ends; below what its parent gives this process before it is killed."""
_CREDENTIALS = "credentials.json"


def main(folder: Path, pace_factor: float, attached: Sequence[str] = ()) -> None:
    """Serve until standard input closes or a signal ends it. `attached` are the data planes that are there."""
    planes.attach(attached, pace_factor)
    # Without the protocol named, asyncio leaves Nagle's algorithm on, and a second request waits 40 ms for its answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    port = listener.getsockname()[1]
    endpoint = _endpoint(folder, port)
    os.environ.update(_settings(folder, endpoint, port))
    asyncio.run(_serve(folder, endpoint, listener))


def _endpoint(folder: Path, port: int) -> Endpoint:
    """Credentials are made once for a folder: a client that was started before a restart can go on."""
    path = folder / _CREDENTIALS
    if path.exists():
        known = json.loads(path.read_text())
    else:
        known = {
            "access_key_id": "AKIA" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16)),
            "secret_access_key": secrets.token_urlsafe(30),
            "token": secrets.token_urlsafe(30),
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(known))
    return Endpoint(url=f"http://127.0.0.1:{port}", account=ACCOUNT, **known)


def _settings(folder: Path, endpoint: Endpoint, port: int) -> dict[str, str]:
    """What ministack reads from its environment when it is imported."""
    state = folder / "state"
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": endpoint.account,
        "AWS_ACCESS_KEY_ID": endpoint.access_key_id,
        "AWS_SECRET_ACCESS_KEY": endpoint.secret_access_key,
        "AUTH": "true",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
        "TMPDIR": str(temporary),
        # It would start containers, and remove those that another emulator left: there is no Docker here.
        "DOCKER_HOST": f"unix://{folder / 'no-docker.sock'}",
        # Listeners beside the API, on fixed ports.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }


async def _serve(folder: Path, endpoint: Endpoint, listener: socket.socket) -> None:
    import uvicorn  # noqa: PLC0415 - after the settings: what follows reads them when it is imported

    from bicoastal.twin.cloud import emulator  # noqa: PLC0415
    from bicoastal.twin.cloud.gateway import Gateway, protocol  # noqa: PLC0415

    gateway = Gateway(emulator.application(), endpoint.token, folder / "calls.jsonl")
    server = uvicorn.Server(
        uvicorn.Config(
            gateway,
            http=protocol(gateway.connections),
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
        )
    )
    threading.Thread(target=_watch, args=(server, asyncio.get_running_loop()), daemon=True).start()
    pass_over()
    _announce(folder, endpoint)
    await server.serve(sockets=[listener])
    emulator.save()


def _watch(server: object, loop: asyncio.AbstractEventLoop) -> None:
    """End with the parent: its side of the pipe closes, however it ended.

    What stacks have begun is ended first: without their controllers they fail and roll back, and are kept as AWS would
    have left them, not half-way.
    """
    from bicoastal.twin.cloud import emulator  # noqa: PLC0415

    while sys.stdin.buffer.read(1):
        pass
    planes.end()
    with contextlib.suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(emulator.stacks_settled(), loop).result(SETTLE_S)
    loop.call_soon_threadsafe(setattr, server, "should_exit", True)
    # Who waits for a change is answered now, and holds nothing up.
    CHANGES.bump()


def _announce(folder: Path, endpoint: Endpoint) -> None:
    """Whole or not at all: a reader never sees half of it."""
    new = folder / f"{ENDPOINT}.new"
    new.touch(mode=0o600)
    new.write_text(json.dumps(endpoint.__dict__))
    new.replace(folder / ENDPOINT)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
