"""Faults of wiring, put into a copy of the templates and deployed: each is an edit of a template's text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.support.cloudformation import Walker

Edit = Callable[[str], str]


def without(*logical_ids: str) -> Edit:
    """The template without these resources."""

    def edit(text: str) -> str:
        for logical_id in logical_ids:
            text, times = re.subn(rf"^  {logical_id}:\n(?:(?: {{4}}.*)?\n)*", "", text, flags=re.MULTILINE)
            assert times == 1, f"the template has {times} resources {logical_id}"
        return text

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
