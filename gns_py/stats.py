"""Properties and measurements of connections, as frozen records."""

from __future__ import annotations

from typing import NamedTuple

from ._generated.enums import ConnectionState, InfoFlags
from .address import Address
from .route import Route


class ConnectionInfo(NamedTuple):
    """Properties of a connection (SteamNetConnectionInfo_t)."""

    state: ConnectionState
    remote_address: Address | None
    """None for a pair of connections in memory."""
    identity: str
    """The identity that the peer claims, and has proved if it is ``authenticated``, as text for Identity.parse();
    "invalid" until the peer has sent it."""
    description: str
    """GNS's own description, for people and logs."""
    end_reason: int
    """0 while the connection lives."""
    end_text: str
    flags: InfoFlags
    user_data: int
    """-1 until set."""
    authenticated: bool = False
    """True if a certificate that is trusted here proves the identity."""
    remote_key: bytes | None = None
    """The peer's public key; None before the handshake, and for pairs. Without a certificate it is a new one
    for each connection."""
    remote_key_expires: int | None = None
    """When the peer's certificate expires, in seconds since 1970; None unless it is authenticated."""
    route: Route = Route.UNKNOWN
    """How packets go to the peer, if the connection goes from peer to peer."""
    virtual_port: int | None = None
    """The port of a listening peer that was called; None unless the connection goes from peer to peer."""


class ConnectionStatus(NamedTuple):
    """Current measurements of a connection (SteamNetConnectionRealTimeStatus_t). None means not known yet."""

    state: ConnectionState
    ping_ms: int | None
    """Smoothed round-trip time."""
    quality_local: float | None
    """Share of packets that arrive here in order, 0 to 1."""
    quality_remote: float | None
    """Share of packets that arrive at the peer in order, as it reports after about 20 s."""
    out_packets_per_second: float
    """All rates cover the last complete interval of 5 s; 0.0 before."""
    out_bytes_per_second: float
    in_packets_per_second: float
    in_bytes_per_second: float
    send_rate: int
    """Bytes per second that the connection may send, from send_rate_min to send_rate_max."""
    pending_unreliable: int
    """Bytes waiting to be sent."""
    pending_reliable: int
    """Bytes waiting to be sent or sent again."""
    sent_unacked_reliable: int
    """Bytes sent and not acknowledged by the peer."""
    queue_time_us: int | None
    """How long a message sent now would wait before it leaves. None if not connected, or with several lanes: see
    LaneStatus."""
    max_jitter_us: int | None
    """The largest jitter since the last call."""


class LaneStatus(NamedTuple):
    """Current measurements of one lane (SteamNetConnectionRealTimeLaneStatus_t)."""

    pending_unreliable: int
    pending_reliable: int
    sent_unacked_reliable: int
    queue_time_us: int | None
    """How long a message sent now on this lane would wait, with priorities and weights taken into account. About 30
    bytes of framing per packet are not counted, so it is three percent too short for messages of 1 KiB."""


class Sample(NamedTuple):
    """One entry of a connection's history."""

    time_us: int
    """When the sample was taken, in microseconds of gns_py.time_us()."""
    status: ConnectionStatus


class SendQueue(NamedTuple):
    """Outgoing data, as gns_py's own limits count it."""

    bytes: int
    """Queued or unacknowledged, including a few bytes of framing per message."""
    messages: int
    segments: int
    """An upper estimate of the number of segments that GNS splits it into."""
    max_bytes: int
    """send() raises SendQueueFull beyond this: send_buffer_size."""
    max_segments: int
    """send() raises SendQueueFull beyond this: max_unacked_segments."""
