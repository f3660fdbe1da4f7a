"""Frozen value -> bytes of a Summary: pure functions, one kind a file; no files, no threads."""
