"""The command line: ``minigrad-rnn`` or ``python -m minigrad_rnn``."""

import sys

from .commands import main

if __name__ == "__main__":
    sys.exit(main())
