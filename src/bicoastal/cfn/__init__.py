"""The CloudFormation language: intrinsics, reading with positions, resolving, writing, and how stacks are wired.

Knows nothing of the product: no row, no default and no name of Bicoastal's stands here.
"""
