"""What a connection is and what it measures: frozen records."""

from __future__ import annotations

from typing import NamedTuple

from ._generated.enums import ConnectionState, InfoFlags
from .address import Address


class ConnectionInfo(NamedTuple):
    """What a connection is (SteamNetConnectionInfo_t)."""

    state: ConnectionState
    remote_address: Address | None
    """None where there is none, as for a pair in memory."""
    identity: str
    """The peer's, as it claims, in the form that Identity.parse() takes. "invalid" until the peer has told."""
    description: str
    """GNS's own, for people and logs."""
    end_reason: int
    """0 while it lives."""
    end_text: str
    flags: InfoFlags
    user_data: int
    """-1 until set."""


class ConnectionStatus(NamedTuple):
    """What a connection measures at present (SteamNetConnectionRealTimeStatus_t). None: not known yet."""

    state: ConnectionState
    ping_ms: int | None
    """Round trip, smoothed."""
    quality_local: float | None
    """Share of the packets that arrive here in order, 0 to 1."""
    quality_remote: float | None
    """The same at the peer, as it reports: from about 20 s on."""
    out_packets_per_second: float
    """Rates are those of the last 5 s that are complete; 0.0 before."""
    out_bytes_per_second: float
    in_packets_per_second: float
    in_bytes_per_second: float
    send_rate: int
    """Bytes per second that it may send: between send_rate_min and send_rate_max."""
    pending_unreliable: int
    """Bytes that wait to be sent."""
    pending_reliable: int
    """Bytes that wait to be sent, or to be sent again."""
    sent_unacked_reliable: int
    """Bytes sent that the peer has not acknowledged."""
    queue_time_us: int | None
    """How long a message sent now would wait before it leaves. None: not connected, or several lanes: see theirs."""
    max_jitter_us: int | None
    """The largest since the last call."""


class LaneStatus(NamedTuple):
    """The same of one lane (SteamNetConnectionRealTimeLaneStatus_t)."""

    pending_unreliable: int
    pending_reliable: int
    sent_unacked_reliable: int
    queue_time_us: int | None
    """How long a message sent now on this lane would wait, priorities and weights considered. Some 30 bytes of framing
    for each packet are not counted, which makes it three percent short for messages of 1 KiB."""


class Sample(NamedTuple):
    """One entry of a connection's history."""

    time_us: int
    """When it was taken, in microseconds of gns_py.time_us()."""
    status: ConnectionStatus


class SendQueue(NamedTuple):
    """What is on its way out, as gns_py's own bounds count it."""

    bytes: int
    """Queued or not acknowledged; a few bytes of framing per message included."""
    messages: int
    segments: int
    """An upper estimate of the pieces that GNS cuts it into."""
    max_bytes: int
    """Beyond it send() raises SendQueueFull: send_buffer_size."""
    max_segments: int
    """Beyond it send() raises SendQueueFull: max_unacked_segments."""
