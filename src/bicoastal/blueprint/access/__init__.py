"""Who may do what: the fleet's role, emergency access, operators' documents and policy, a trail of it all (M8, D17)."""

from bicoastal.blueprint.access.access import Access, access

__all__ = ["Access", "access"]
