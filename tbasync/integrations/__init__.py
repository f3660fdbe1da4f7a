"""What tbasync does with other packages; each module imports its package only when it is called."""
