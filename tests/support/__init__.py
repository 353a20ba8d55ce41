"""Helpers of the tests: waiting with a deadline, a common form of the APIs, and programs in processes of their own."""

from .api import Api, once
from .blocking import BlockingAsyncio
from .deadline import PATIENCE, eventually
from .descriptors import open_descriptors
from .events import next_event, next_request, poll_until, until_connected, until_ended
from .handlers import echo
from .peer import Peer
from .references import counts_references

__all__ = [
    "PATIENCE",
    "Api",
    "BlockingAsyncio",
    "Peer",
    "counts_references",
    "echo",
    "eventually",
    "next_event",
    "next_request",
    "once",
    "open_descriptors",
    "poll_until",
    "until_connected",
    "until_ended",
]
