"""From the caller to the writer thread: freeze, push, queue, drain."""
