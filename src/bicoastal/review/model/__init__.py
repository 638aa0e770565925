"""What templates mean, by concern: networks, machines, identities, signals, names. Rows and rules judge these."""
