"""Every rule by its id: its module, and the resource types that it speaks of.

Written by `python -m tools.rules`. With it, `review` knows without importing a rule whether it has anything to say
about a template.
"""

from __future__ import annotations

from collections.abc import Mapping

INDEX: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "fleet-in-one-zone": ("scaling.fleet_in_one_zone", ("AWS::AutoScaling::AutoScalingGroup",)),
    "suppression-without-reason": ("templates.suppression_without_reason", ()),
}
