"""What logging costs, measured beside today's writers: one module for each question."""
