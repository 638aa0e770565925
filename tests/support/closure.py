"""A part of a deployment: some stacks, and what they need."""

from __future__ import annotations

from dataclasses import replace

from bicoastal.cfn.manifest import Manifest


def closure(manifest: Manifest, *wanted: str) -> Manifest:
    """The manifest of those stacks and of all that their parameters come from."""
    by_id = {entry.id: entry for entry in manifest.stacks}
    found: set[str] = set()
    todo = list(wanted)
    while todo:
        id_ = todo.pop()
        if id_ not in found:
            found.add(id_)
            todo += by_id[id_].needs
    return replace(manifest, stacks=tuple(entry for entry in manifest.stacks if entry.id in found))
