"""What tests share that is no fixture: waiting with a deadline, and programs in processes of their own."""

from .deadline import eventually
from .events import next_event, poll_until, until_connected, until_ended
from .peer import Peer

__all__ = ["Peer", "eventually", "next_event", "poll_until", "until_connected", "until_ended"]
