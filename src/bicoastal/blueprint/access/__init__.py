"""Who may do what: the fleet's role, emergency access, operators' documents and policy, a trail of it all (M8, D17)."""
