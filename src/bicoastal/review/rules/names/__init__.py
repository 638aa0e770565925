"""DNS: whether users are led away from what is lost."""
