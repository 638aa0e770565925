"""The experiments, one file for each kind of loss: sentences with what they do and how they are held."""

from __future__ import annotations

from bicoastal.drill.experiment import Experiment
from bicoastal.drill.experiments import (
    az_loss,
    back_and_forth,
    bad_release,
    brown_out,
    database_loss,
    emergency,
    partition,
    region_loss,
    replica_loss,
    restore,
    secret_rotated,
    surge,
    switchover,
    throttled,
)

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        *region_loss.EXPERIMENTS,
        *az_loss.EXPERIMENTS,
        *database_loss.EXPERIMENTS,
        *replica_loss.EXPERIMENTS,
        *partition.EXPERIMENTS,
        *secret_rotated.EXPERIMENTS,
        *emergency.EXPERIMENTS,
        *restore.EXPERIMENTS,
        *switchover.EXPERIMENTS,
        *back_and_forth.EXPERIMENTS,
        *brown_out.EXPERIMENTS,
        *surge.EXPERIMENTS,
        *bad_release.EXPERIMENTS,
        *throttled.EXPERIMENTS,
    )
}  # fmt: skip
"""By name, in the order of `drill list`."""
