"""The same calls through the originals' writers and tbasync's give the same event files."""
