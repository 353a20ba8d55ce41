"""What tests share that is no fixture: waiting with a deadline, and programs in processes of their own."""

from .deadline import eventually
from .peer import Peer

__all__ = ["Peer", "eventually"]
