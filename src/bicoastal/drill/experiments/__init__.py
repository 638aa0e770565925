"""The experiments, one file for each kind of loss: sentences with what they do and how they are held."""

from __future__ import annotations

from bicoastal.drill.experiment import Experiment
from bicoastal.drill.experiments import region_loss

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        *region_loss.EXPERIMENTS,
    )
}  # fmt: skip
"""By name, in the order of `drill list`."""
