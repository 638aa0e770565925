"""What several tests use: specs, templates, servers."""
