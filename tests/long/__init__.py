"""What takes minutes: run by hand, or in a short form by the tests. Figures are in docs/reliability.md."""
