"""Faults of wiring, put into a copy of the templates and deployed: each is an edit of a template's text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from bicoastal.blueprint.stacks import compose
from bicoastal.spec.model import Spec
from bicoastal.twin.ground import Ground
from tests.support.closure import closure
from tests.support.cloudformation import Account, Walker

Edit = Callable[[str], str]


def walker_of(of: Spec, ground: Ground, *stacks: str) -> Walker:
    """A walker of the spec's templates on a twin's control plane: of these stacks, and of what they need."""
    made = compose(of)
    files = {f"templates/{item.kind}.yaml": item.to_yaml() for item in made.stacks}
    return Walker(Account(ground.api.endpoint), closure(made.manifest, *stacks), files)


def without(*logical_ids: str) -> Edit:
    """The template without these resources."""

    def edit(text: str) -> str:
        for logical_id in logical_ids:
            text, times = re.subn(rf"^  {logical_id}:\n(?:(?: {{4}}.*)?\n)*", "", text, flags=re.MULTILINE)
            assert times == 1, f"the template has {times} resources {logical_id}"
        return text

    return edit


def changed(logical_id: str, old: str, new: str) -> Edit:
    """The template with a text within a resource, which is there once, replaced."""

    def edit(text: str) -> str:
        found = re.search(rf"^  {logical_id}:\n(?:(?: {{4}}.*)?\n)*", text, flags=re.MULTILINE)
        assert found, f"the template has no resource {logical_id}"
        assert found[0].count(old) == 1, f"{logical_id} has {old!r} {found[0].count(old)} times"
        return text.replace(found[0], found[0].replace(old, new))

    return edit


def with_resource(resource: str) -> Edit:
    """The template with one more resource, written as at the left margin."""

    def edit(text: str) -> str:
        assert "\nResources:\n" in text
        return text.replace("\nResources:\n", f"\nResources:\n{textwrap.indent(resource.strip(), '  ')}\n\n", 1)

    return edit


def deploy(walker: Walker, stack: str, edit: Edit) -> None:
    """Update one stack (`network/us-east-1`) to its edited template, its parameters kept."""
    entry = next(item for item in walker.manifest.stacks if item.id == stack)
    text = edit(walker.templates[entry.template])
    replace(walker, templates={**walker.templates, entry.template: text}, anew=True).change(entry, "UPDATE")


@contextmanager
def fault(walker: Walker, stack: str, edit: Edit) -> Iterator[None]:
    """The same for as long as the block runs; then the template is as it was."""
    deploy(walker, stack, edit)
    try:
        yield
    finally:
        deploy(walker, stack, lambda text: text)
