"""What logging costs a script: its writers' calls timed, sampled, and made again under tbasync."""
