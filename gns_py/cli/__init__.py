"""The command line: ``gns-py``, or ``python -m gns_py``. Each command has a module of its own."""

from .main import main

__all__ = ["main"]
