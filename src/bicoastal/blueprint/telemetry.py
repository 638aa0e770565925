"""The names under which instances write logs and metrics, agreed between the roles that may and the agent that does.

Log groups are declared by the concern that owns them, with retention and key: a role may
write to these and create none.
"""

from __future__ import annotations

from bicoastal.spec.model import Spec


def metric_namespace(spec: Spec) -> str:
    """Namespace of the metrics that instances publish: memory, heartbeat age, reading sessions."""
    return f"Bicoastal/{spec.prefix}"


def security_namespace(spec: Spec) -> str:
    """Namespace of what is counted in the trail: uses of emergency access, of root, changes of the trail.

    A namespace of its own, so that no instance can publish into it.
    """
    return f"Bicoastal/{spec.prefix}/security"


def application_log(spec: Spec) -> str:
    """What the application writes to its standard output and error. Declared by `service`."""
    return f"/{spec.prefix}/application"


def kit_log(spec: Spec) -> str:
    """What the instance kit writes, and the bootstrap instance. Declared by `service`."""
    return f"/{spec.prefix}/kit"


def system_log(spec: Spec) -> str:
    """Boot and system messages of the instances. Declared by `service`."""
    return f"/{spec.prefix}/system"


def session_log(spec: Spec) -> str:
    """What responders type and see. Declared by `access`."""
    return f"/{spec.prefix}/sessions"


def trail_log(spec: Spec) -> str:
    """The trail's events, where metric filters read them. Declared by `access`."""
    return f"/{spec.prefix}/trail"


def fleet_logs(spec: Spec) -> tuple[str, ...]:
    """The groups that the fleet's instances write to all the time."""
    return (application_log(spec), kit_log(spec), system_log(spec))
