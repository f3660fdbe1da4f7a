"""Jobs of several processes: which of them write, and how the others' scalars reach the one that does."""
