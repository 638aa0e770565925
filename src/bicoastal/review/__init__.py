"""Holds templates against what was asked: what is delivered, what is missing, and what cannot be told.

Reads templates only; it never imports what writes ours, and judges by resource types, properties and wiring, not by
our names.
"""
