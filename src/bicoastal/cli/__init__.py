"""One file per command: it parses, calls, prints, and decides nothing."""
