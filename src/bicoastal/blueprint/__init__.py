"""Writes the templates: one module per concern, each with a typed result that the next one takes.

`stacks` composes them on one page.
"""
