"""All stacks of a deployment: planned, created, changed and taken away, in both regions, by AWS's API alone.

Takes the manifest and the templates as data: it composes nothing, and knows of the product only what has to be done
between stacks (`steps`). Whatever happens to it, started again it carries on from what it finds (D13).

    survey   what is there, and what would change: change sets, nothing executed
    guard    which of those changes nobody gets without naming the resource
    walk     executes them in dependency order, with the steps between
    removal  takes everything away, in the reverse order
"""
