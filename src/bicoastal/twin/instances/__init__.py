"""EC2 instances as the twin runs them: each booted from its own user data, under a root of its own.

    controller      what the API says should run, and what does
    machine         one instance: disk, programs, power
    boot            what it does when it boots
    cloud_config    user data, as cloud-init reads it
    disk            its root: which absolute paths are moved below it, and how texts are changed for that
    units           unit files, as systemd reads them           settings, command lines, drop-ins
    systemd         runs them: order, readiness, restarts, limits
    programs        the PATH: an interpreter, `aws`, `systemctl`, `shutdown`
    power           when a command line turns it off
    front_desk      what those ask of the machine's own process
    aws_command     `aws SERVICE OPERATION ...`, with the rights of the instance's role
    metadata        the instance metadata service
    usage           CPU and memory of an instance's processes, from /proc
    bytecode        compiled modules, shared
    reactor         the one thread in which all instances' timers and sockets are

An instance is processes of this machine, not a virtual one: it shares kernel, clock, users and network with the others.
What follows from that stands in `docs/fidelity.md`.
"""
