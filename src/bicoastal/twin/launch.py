"""Becomes a program of the twin: drops to its account, asks the kernel to end it with the twin, and executes it.

Run as `python -I -S launch.py PARENT USER GROUP SIGNAL PROGRAM ARGUMENTS...`, in 9 ms. It is a program of its own
because code between fork and exec of a process with threads may deadlock. It imports the standard library alone.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Never returns; exits 127 with a line on standard error when the program cannot be executed."""
    parent, user, group, signal_number = map(int, sys.argv[1:5])
    command = sys.argv[5:]
    if user != os.geteuid():
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    # After the change of user, which the kernel takes as a reason to forget it.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the twin ended before this program began")
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        # Python ignores them, and what is ignored stays so for the program.
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execv(command[0], command)  # noqa: S606 - what this program is for
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        os._exit(127)


if __name__ == "__main__":
    main()
