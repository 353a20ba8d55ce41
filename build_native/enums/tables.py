"""Sentences, units and judgements, which the headers do not contain, for the members of the enums and the options."""

from __future__ import annotations

STATES = {
    "None": "The connection does not exist, or this end has closed it.",
    "Connecting": "Being set up: waiting for the network, or for the application at one end to accept.",
    "FindingRoute": "Accepted; the two ends of a P2P connection are still looking for a route to each other.",
    "Connected": "Both ends have agreed, and messages flow.",
    "ClosedByPeer": "The peer has closed it; what arrived before can still be read.",
    "ProblemDetectedLocally": "This end found it broken, usually by a timeout; what arrived before can still be read.",
    "FinWait": "Internal to GNS: closed here, kept for a while to answer a peer that has not noticed.",
    "Linger": "Internal to GNS: closed here, still delivering reliable messages.",
    "Dead": "Internal to GNS: about to be freed.",
}


# number range: GNS's prefix, bounds where GNS names none, sentence, whether a number without a member may be retried.
# Only applications know what their codes mean. GNS's causes are mostly temporary, so a new one is worth a retry.
RANGES = {
    "APP": ("App", None, "The application at one end closed the connection in the normal course of events.", False),
    "APP_EXCEPTION": (
        "AppException",
        None,
        "The application at one end closed the connection because of a fault.",
        False,
    ),
    "LOCAL": ("Local", None, "The cause lies at this end or in its network access.", True),
    "REMOTE": ("Remote", None, "The cause lies at the other end or on the route to it.", True),
    "MISC": ("Misc", None, "GNS cannot tell at which end the cause lies.", True),
    "INTERNAL": (None, (9000, 9999), "GNS's own codes, which applications should never see.", False),
    "UNKNOWN": (None, (None, None), "The number is in no range that GNS 1.6.0 knows.", False),
}


# name: (sentence, whether trying again can help); the comment gives the reason.
END_REASONS = {
    # nothing has ended, so there is nothing to retry
    "Invalid": ("No reason: the connection has not ended.", False),
    # the peer's application decided so
    "App_Generic": ("The application closed the connection and gave no specific reason.", False),
    # only the peer's application knows what went wrong, and the same request may well fail again
    "AppException_Generic": ("The application closed the connection because of an unspecified fault.", False),
    # being offline was a choice
    "Local_OfflineMode": ("This end is configured to work offline.", False),
    # an outage of the access line is temporary
    "Local_ManyRelayConnectivity": ("This end reaches few relays or none, so its own network is suspect.", True),
    # another path between server and relay may be chosen
    "Local_HostedServerPrimaryRelay": (
        "This hosted server lost the relay between it and its client.",
        True,
    ),
    # the next attempt fetches it again
    "Local_NetworkConfig": ("This end could not get the description of the relay network.", True),
    # asking twice does not grant rights
    "Local_Rights": ("This end is not allowed to do that.", False),
    # STUN uses UDP: packets get lost, and servers restart
    "Local_P2P_ICE_NoPublicAddresses": (
        "No STUN server reported the public address of this end, so the peer cannot be reached.",
        True,
    ),
    # the peer, or the route to it, may come back
    "Remote_Timeout": ("Nothing arrived from the peer for too long, while this end's other traffic went on.", True),
    # the same keys and ciphers give the same result
    "Remote_BadCrypt": ("The two ends could not agree on keys, or the peer's key exchange was invalid.", False),
    # the same certificate gives the same result
    "Remote_BadCert": ("The peer's certificate is missing, untrusted, expired, or for another identity.", False),
    # the same software gives the same result
    "Remote_BadProtocolVersion": ("The peer uses a version of the protocol that this end does not support.", False),
    # as for Local_P2P_ICE_NoPublicAddresses, at the other end
    "Remote_P2P_ICE_NoPublicAddresses": ("The peer offered no address that this end could reach.", True),
    # rare states in the bookkeeping of the two ends, which a new connection does not share
    "Misc_Generic": ("Something uncommon went wrong; the accompanying text says what.", True),
    # a limit or a rule of the protocol was violated, and the same messages would violate it again
    "Misc_InternalError": ("An error in the library or in its use; the accompanying text says what.", False),
    # the peer, or the route to it, may come back
    "Misc_Timeout": (
        "Nothing arrived from the peer for too long: it does not exist, has stopped, or cannot be reached.",
        True,
    ),
    # an outage of a service is temporary
    "Misc_SteamConnectivity": ("Steam could not be reached.", True),
    # the client opens new relay sessions when it connects again
    "Misc_NoRelaySessionsToClient": ("This hosted server had no relay session to its client left.", True),
    # signals get lost, or the peer was not online yet
    "Misc_P2P_Rendezvous": (
        "The two ends of a P2P connection did not find each other through the signaling service.",
        True,
    ),
    # without a relay, the same two NATs will block again
    "Misc_P2P_NAT_Firewall": ("NAT or a firewall blocks a direct connection to the peer.", False),
    # the peer has restarted or forgotten this connection, which does not prevent a new one
    "Misc_PeerSentNoConnection": (
        "The peer does not know this connection: it has restarted, or has given the connection up.",
        True,
    ),
    # a new session can be opened at once
    "InternalRelay_SessionIdleTimeout": ("Internal to relays: a session was idle for too long.", True),
    # the client itself chose another server
    "InternalRelay_ClientChangedTarget": ("Internal to relays: the client now talks to another server.", False),
    # as for Misc_PeerSentNoConnection, which the application sees instead
    "Internal_P2PNoConnection": ("Internal to P2P signals: the sender does not know the connection.", True),
}


# the same for GNS_END_* of gns_core.h
CORE_END_REASONS = {
    # a server that restarts comes back
    "GOING_AWAY": ("The listen socket or the server that the connection belonged to was closed.", True),
    # the connection goes on
    "TAKEN_OVER": ("This end connected to the peer itself while its request was waiting: it is one connection.", False),
    # the fault may concern this one connection, and a new one starts afresh
    "INTERNAL_ERROR": ("The code that served this connection failed: a handler raised an exception.", True),
    # a new connection starts with an empty queue
    "MESSAGE_QUEUE_LIMIT_REACHED": (
        "The reader was too slow: its queue of received messages reached the limit.",
        True,
    ),
    # the server refuses the moment, not the peer
    "RATE_LIMITED": ("The server currently has too many connections, or too many new ones, from this address.", True),
    # a process that restarts comes back
    "SHUTDOWN": ("The program at one end shut the library down while the connection was open.", True),
}


RESULTS = {
    "OK": "Success.",
    "Fail": "Failure for a reason that is unknown or only in the log.",
    "NoConnection": "The connection has ended or never existed.",
    "InvalidParam": "An argument is invalid: a handle, a size, a flag.",
    "Busy": "An operation of that kind is in progress already.",
    "InvalidState": "Impossible in the current state of the object.",
    "LimitExceeded": "A limit was reached: the send queue is full, or there are too many connections.",
    "DuplicateRequest": "The connection was accepted already.",
    "IPNotFound": "The address does not exist.",
    "ConnectFailed": "The session is broken; close it before you make a new one.",
    "HandshakeFailed": "The key exchange with the peer failed.",
    "Ignored": "Nothing was done: the message was to be sent at once or never, and could not be sent at once.",
    "Disabled": "This build of the library does not support that.",
}


SEND_FLAGS = {
    "Unreliable": "May get lost, arrive late or out of order; never arrives twice.",
    "NoNagle": "Do not wait for other small messages that could share the packet.",
    "UnreliableNoNagle": "UNRELIABLE with NO_NAGLE.",
    "NoDelay": "Send at once or never: dropped while the connection is not established.",
    "UnreliableNoDelay": "UNRELIABLE with NO_DELAY and NO_NAGLE.",
    "Reliable": "Arrives once and in order within its lane, as long as the connection lives.",
    "ReliableNoNagle": "RELIABLE with NO_NAGLE.",
    "UseCurrentThread": "No effect in GNS 1.6.0.",
    "AutoRestartBrokenSession": "Only for GNS's ad-hoc sessions, which gns_py does not use.",
}


INFO_FLAGS = {
    "Unauthenticated": "The peer's identity is not verified: there is no certificate.",
    "Unencrypted": "Messages are not encrypted.",
    "LoopbackBuffers": "Both ends are in this process, without a network between them.",
    "Fast": "Both ends are on one machine, or appear to be on one local network.",
    "Relayed": "Packets go through a relay (TURN).",
    "DualWifi": "Packets use two Wi-Fi bands at once.",
}


LOG_LEVELS = {
    "None": "Nothing is logged.",
    "Bug": "A failed assertion in GNS, or incorrect use of it.",
    "Error": "A failure that is not a bug: a port was taken, a network was down.",
    "Important": "Not a problem, but worth knowing.",
    "Warning": "Something odd that may explain later problems.",
    "Msg": "The normal course of events.",
    "Verbose": "The normal course of events in more detail.",
    "Debug": "Nearly everything.",
    "Everything": "Down to the contents of packets.",
}


IDENTITY_TYPES = {
    "Invalid": "No identity: not set or not known yet.",
    "IPAddress": "An address; localhost stands for a process without a name.",
    "GenericString": "A name chosen by the application.",
    "GenericBytes": "Bytes chosen by the application.",
    "UnknownType": "Text of a type that this version of GNS does not know.",
    "SteamID": "A Steam account or game server.",
    "XboxPairwiseID": "A user of Xbox Live, as one publisher sees them.",
    "SonyPSN": "A user of the PlayStation Network.",
}


SCOPES = {
    "Global": "The whole process, and the default for everything in it.",
    "SocketsInterface": "One instance of GNS's interface; gns_py has one per process and uses GLOBAL instead.",
    "ListenSocket": "One listen socket, and the default for the connections that it accepts.",
    "Connection": "One connection.",
}


TYPES = {
    "Int32": "A 32-bit integer.",
    "Int64": "A 64-bit integer.",
    "Float": "A single-precision number.",
    "String": "Text.",
    "Ptr": "The address of a function; not available from Python.",
}


# GNS's name: (unit, sentence). Options for callbacks are left out: GNS never calls Python functions.
OPTIONS = {
    "TimeoutInitial": (
        "ms",
        "Time limit for setting up a connection, including the wait until the other end accepts.",
    ),
    "TimeoutConnected": (
        "ms",
        "How long the peer may be silent before the connection counts as lost; also limits lingering.",
    ),
    "SendBufferSize": ("bytes", "How much may be queued or unacknowledged before further messages are refused."),
    "RecvBufferSize": (
        "bytes",
        "How much GNS itself queues to be read; gns_py keeps this at its maximum.",
    ),
    "RecvBufferMessages": (
        "messages",
        "How many messages GNS itself queues to be read; gns_py keeps this at its maximum.",
    ),
    "RecvMaxMessageSize": ("bytes", "The largest message that the peer may send; a larger one ends the connection."),
    "RecvMaxSegmentsPerPacket": (
        "segments",
        "How many pieces of messages one packet may contain; a packet with more is dropped.",
    ),
    "ConnectionUserData": ("", "A number chosen by the application; set it with the connection's user_data."),
    "SendRateMin": (
        "bytes/s",
        "The lowest send rate; GNS does not adapt it, so set both rates equal.",
    ),
    "SendRateMax": (
        "bytes/s",
        "The highest send rate, up to 104857600; no effect if it is below send_rate_min.",
    ),
    "NagleTime": ("us", "How long a small message waits for others that could share its packet."),
    "MTU_PacketSize": ("bytes", "The largest UDP payload to send."),
    "MTU_DataSize": ("bytes", "The largest message that fits into one packet; derived from mtu_packet_size."),
    "IP_AllowWithoutAuth": ("", "Peers without a certificate: 0 refuse, 1 allow and warn, 2 allow."),
    "IPLocalHost_AllowWithoutAuth": (
        "",
        "For peers on this machine: as ip_allow_without_auth; the more permissive counts.",
    ),
    "Unencrypted": (
        "",
        "Sending without encryption: 0 no, 1 allowed, 2 preferred (by the end that accepts), 3 required.",
    ),
    "SymmetricConnect": ("", "P2P: 1 if both ends may connect to each other at the same time to get one connection."),
    "LocalVirtualPort": ("", "P2P: this end's virtual port for outgoing connections; -1 for the peer's."),
    "LogLevel_AckRTT": ("", "How much to log about acknowledgements and round trips, as a LogLevel."),
    "LogLevel_PacketDecode": ("", "How much to log about the contents of packets, as a LogLevel."),
    "LogLevel_Message": ("", "How much to log about each message sent and received, as a LogLevel."),
    "LogLevel_PacketGaps": ("", "How much to log about packets that are missing, as a LogLevel."),
    "LogLevel_P2PRendezvous": ("", "How much to log about P2P signals, as a LogLevel."),
    "SendTimeSincePreviousPacket": (
        "",
        "Let the peer measure jitter exactly: 0 no, 1 yes, -1 for relayed connections only.",
    ),
    "P2P_STUN_ServerList": (
        "",
        "P2P: STUN servers, host:port separated by commas; numeric, as names block GNS.",
    ),
    "P2P_TURN_ServerList": (
        "",
        "P2P: TURN servers, host:port separated by commas; numeric, as names block GNS.",
    ),
    "P2P_TURN_UserList": ("", "P2P: one user name for each TURN server, separated by commas."),
    "P2P_TURN_PassList": ("", "P2P: one password for each TURN server, separated by commas."),
    "P2P_Transport_ICE_Enable": (
        "",
        "P2P: addresses that the peer may learn, as a sum: 1 relayed, 2 private, 4 public; 0 none.",
    ),
    "P2P_Transport_ICE_Penalty": ("ms", "P2P: added to the ping of direct routes when routes are compared."),
    "P2P_Transport_ICE_Implementation": ("", "P2P: 0 the default, 1 GNS's own, 2 WebRTC (not in this build)."),
    "FakePacketLoss_Send": ("percent", "Simulation: share of outgoing packets to drop."),
    "FakePacketLoss_Recv": ("percent", "Simulation: share of incoming packets to drop."),
    "FakePacketLag_Send": ("ms", "Simulation: delay of outgoing packets."),
    "FakePacketLag_Recv": ("ms", "Simulation: delay of incoming packets."),
    "FakePacketReorder_Send": (
        "percent",
        "Simulation: share of outgoing packets to delay so that later ones overtake them.",
    ),
    "FakePacketReorder_Recv": (
        "percent",
        "Simulation: share of incoming packets to delay so that later ones overtake them.",
    ),
    "FakePacketReorder_Time": ("ms", "Simulation: how long packets that are to be overtaken are delayed."),
    "FakePacketDup_Send": ("percent", "Simulation: share of outgoing packets to send twice."),
    "FakePacketDup_Recv": ("percent", "Simulation: share of incoming packets to receive twice."),
    "FakePacketDup_TimeMax": ("ms", "Simulation: the longest delay between a packet and its duplicate."),
    "PacketTraceMaxBytes": ("bytes", "Log this many bytes of each packet; -1 logs none."),
    "FakeRateLimit_Send_Rate": ("bytes/s", "Simulation: outgoing bandwidth; 0 for no limit."),
    "FakeRateLimit_Send_Burst": ("bytes", "Simulation: how much may be sent at once after a pause."),
    "FakeRateLimit_Recv_Rate": ("bytes/s", "Simulation: incoming bandwidth; 0 for no limit."),
    "FakeRateLimit_Recv_Burst": ("bytes", "Simulation: how much may arrive at once after a pause."),
    "OutOfOrderCorrectionWindowMicroseconds": (
        "us",
        "How long a packet that is early waits for the one before it.",
    ),
    "FakePacketJitter_Send_Avg": ("ms", "Simulation: mean extra delay of outgoing packets; 0 for none."),
    "FakePacketJitter_Send_Max": ("ms", "Simulation: largest extra delay of outgoing packets."),
    "FakePacketJitter_Send_Pct": ("percent", "Simulation: share of outgoing packets that get an extra delay."),
    "FakePacketJitter_Recv_Avg": ("ms", "Simulation: mean extra delay of incoming packets; 0 for none."),
    "FakePacketJitter_Recv_Max": ("ms", "Simulation: largest extra delay of incoming packets."),
    "FakePacketJitter_Recv_Pct": ("percent", "Simulation: share of incoming packets that get an extra delay."),
    "ECN": ("", "Congestion bits of outgoing packets: 0 to 2, -1 for automatic; Windows only."),
}


# GNS_CONFIG_* of gns_core.h: (unit, default, minimum, maximum, sentence)
CORE_OPTIONS = {
    "RECV_QUEUE_BYTES": (
        "bytes",
        8388608,
        4096,
        2**30,
        "How much may wait to be read before the connection is closed.",
    ),
    "RECV_QUEUE_MESSAGES": (
        "messages",
        65536,
        2,
        2**24,
        "How many messages may wait to be read before the connection is closed.",
    ),
    "MAX_UNACKED_SEGMENTS": (
        "segments",
        16384,
        64,
        60000,
        "How many reliable segments may be queued or unacknowledged before sends are refused.",
    ),
}


# Options that are not fields of Config: the rest of the error message for programs that use them.
NOT_IN_CONFIG = {
    "RecvBufferSize": "is kept at its maximum: limit what waits to be read with recv_queue_bytes",
    "RecvBufferMessages": "is kept at its maximum: limit what waits to be read with recv_queue_messages",
    "ConnectionUserData": "is not an option here: set the connection's user_data",
    "MTU_DataSize": "can only be read: set mtu_packet_size",
}
