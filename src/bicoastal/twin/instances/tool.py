"""`aws`, `systemctl`, `shutdown` and their kin on an instance: hands the command line to the machine's own process.

One file under several names. It runs as the instance's programs do, reads and writes their files itself, and knows
nothing: what it is told to print it prints. It starts in 10 ms, which is why it imports what is built in and no more:
no pathlib either.
"""

import _socket  # `socket` would take as long to import as everything else here together
import os
import sys

DESK = "@DESK@"
FRAME = 4
CHUNK = 65536


def main() -> int:
    """Ask, do what is answered, and return the exit code."""
    desk = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        desk.connect("\0" + DESK)
    except OSError as error:
        sys.stderr.write(f"{sys.argv[0]}: the machine does not answer: {error.strerror}\n")
        return 255
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    asked = [sys.argv[0].rpartition("/")[2], os.getcwd(), region, *sys.argv[1:]]  # noqa: PTH109
    send(desk, "\0".join(asked).encode("utf-8", "surrogateescape"))
    target = -1
    while True:
        told = receive(desk)
        kind, data = told[:1], told[1:]
        if kind == b"o":
            sys.stdout.buffer.write(data)
        elif kind == b"e":
            sys.stderr.buffer.write(data)
        elif kind == b"r":
            upload(desk, os.fsdecode(data))
        elif kind == b"w":
            target = opened(desk, os.fsdecode(data))
        elif kind == b"d":
            write_all(target, data)
        elif kind == b"q":
            sys.stdout.buffer.flush()
            return int(data)
        else:
            sys.stderr.write(f"{sys.argv[0]}: the machine went away\n")
            return 255


def opened(desk: _socket.socket, path: str) -> int:
    """Open a file to write to, and say how that went."""
    try:
        if path != "-":
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)  # noqa: PTH103, PTH120
        found = 1 if path == "-" else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    except OSError as error:
        send(desk, f"x{error}".encode())
        return -1
    send(desk, b"k")
    return found


def upload(desk: _socket.socket, path: str) -> None:
    """Send a file, and its end; or why it cannot be read."""
    try:
        source = 0 if path == "-" else os.open(path, os.O_RDONLY)
        send(desk, b"k")
        while data := os.read(source, CHUNK):
            send(desk, b"d" + data)
        send(desk, b"z")
    except OSError as error:
        send(desk, f"x{error}".encode())


def write_all(target: int, data: bytes) -> None:
    """However little the file takes at once."""
    while data:
        data = data[os.write(target, data) :]


def send(desk: _socket.socket, data: bytes) -> None:
    """A frame."""
    desk.sendall(len(data).to_bytes(FRAME, "big") + data)


def receive(desk: _socket.socket) -> bytes:
    """The next frame; empty when there is none any more."""
    return exactly(desk, int.from_bytes(exactly(desk, FRAME), "big"))


def exactly(desk: _socket.socket, size: int) -> bytes:
    """So many bytes; none when the other side is gone."""
    data = b""
    while len(data) < size:
        part = desk.recv(size - len(data))
        if not part:
            return b""
        data += part
    return data


if __name__ == "__main__":
    sys.exit(main())
