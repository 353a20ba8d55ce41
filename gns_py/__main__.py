"""Run the command line: ``python -m gns_py`` is the script ``gns-py``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
