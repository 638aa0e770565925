"""What a review came to, in the forms that people and other tools read.

A format decides nothing, and leaves nothing out that its form has a place for.
"""
