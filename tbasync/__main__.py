"""`python -m tbasync`, the same as the command `tbasync`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
