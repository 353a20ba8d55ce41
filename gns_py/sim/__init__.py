"""Simulated networks, to test how a program behaves when packets are lost, late, duplicated or reordered.

``Network`` describes a network, with a limited bandwidth if need be, and is a context manager or makes a ``Config``.
pytest gets the fixtures ``gns_network``, ``gns_server`` and ``gns_pair`` automatically: see
``gns_py.sim.pytest_plugin``.
"""

from .network import Network

__all__ = ["Network"]
