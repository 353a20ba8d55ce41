"""The command line: ``gns-py``, or ``python -m gns_py``. A module for each command."""

from .main import main

__all__ = ["main"]
