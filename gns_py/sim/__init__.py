"""Simulated networks: how a program fares when packets get lost, late, doubled or overtaken, and bandwidth is scarce.

``Network`` says what the network is like, as a context manager or as a ``Config``. With pytest, the fixtures
``gns_network``, ``gns_server`` and ``gns_pair`` are there by themselves: see ``gns_py.sim.pytest_plugin``.
"""

from .network import Network

__all__ = ["Network"]
