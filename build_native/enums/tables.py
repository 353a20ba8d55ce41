"""What the headers do not say: sentences, units and judgements for the members of the enums and for the options."""

from __future__ import annotations

STATES = {
    "None": "There is no such connection, or this end has closed it.",
    "Connecting": "Being set up: waiting for the network, or for the application at one end to accept.",
    "FindingRoute": "Accepted; both ends of a P2P connection still look for a way to each other.",
    "Connected": "Both ends have agreed, and messages flow.",
    "ClosedByPeer": "The peer has closed it; what had arrived can still be read.",
    "ProblemDetectedLocally": "This end found it broken, mostly by a timeout; what had arrived can still be read.",
    "FinWait": "Internal to GNS: closed here, remembered for a while to answer a peer that has not noticed.",
    "Linger": "Internal to GNS: closed here, still delivering what was sent reliably.",
    "Dead": "Internal to GNS: about to be freed.",
}


# number range: GNS's prefix, bounds where GNS names none, sentence, whether a number without a member may be retried.
# Applications know themselves what their codes mean; GNS's causes mostly pass by themselves, so retry a new one.
RANGES = {
    "APP": ("App", None, "The application at one end closed the connection in the normal course of events.", False),
    "APP_EXCEPTION": (
        "AppException",
        None,
        "The application at one end closed the connection because of a fault.",
        False,
    ),
    "LOCAL": ("Local", None, "The cause lies at this end or in its access to the network.", True),
    "REMOTE": ("Remote", None, "The cause lies at the other end, or on the way to it.", True),
    "MISC": ("Misc", None, "GNS cannot tell at which end the cause lies.", True),
    "INTERNAL": (None, (9000, 9999), "GNS's own codes, which no application should get to see.", False),
    "UNKNOWN": (None, (None, None), "No range that GNS 1.6.0 knows has this number.", False),
}


# name: (sentence, whether trying again can help); the comment says why.
END_REASONS = {
    # nothing has ended, there is nothing to try again
    "Invalid": ("No reason: the connection has not ended.", False),
    # the peer's application wanted it so
    "App_Generic": ("The application closed the connection and gave no particular reason.", False),
    # only the peer's application knows what went wrong, the same request may well fail the same way
    "AppException_Generic": ("The application closed the connection because of a fault that it did not name.", False),
    # somebody chose to be offline
    "Local_OfflineMode": ("This end is set to work offline.", False),
    # an outage of the access line passes
    "Local_ManyRelayConnectivity": ("This end reaches few or none of the relays, so its own network is suspect.", True),
    # the path between server and relay may be chosen anew
    "Local_HostedServerPrimaryRelay": ("This hosted server lost the relay that its client came through.", True),
    # fetched again at the next attempt
    "Local_NetworkConfig": ("This end could not get the description of the relay network.", True),
    # rights do not come by asking twice
    "Local_Rights": ("This end is not allowed to do that.", False),
    # STUN is UDP: its packets get lost, its servers restart
    "Local_P2P_ICE_NoPublicAddresses": (
        "No STUN server told this end its public address, so the peer cannot be reached.",
        True,
    ),
    # the peer, or the way to it, may come back
    "Remote_Timeout": ("Nothing came from the peer any more while this end's other traffic went on.", True),
    # same keys and ciphers, same answer
    "Remote_BadCrypt": ("The two ends could not agree on keys, or the peer's key exchange was not valid.", False),
    # same certificate, same answer
    "Remote_BadCert": ("The peer's certificate is missing, not trusted, expired, or somebody else's.", False),
    # same software, same answer
    "Remote_BadProtocolVersion": ("The peer speaks a version of the protocol that this end does not.", False),
    # as for Local_P2P_ICE_NoPublicAddresses, at the other end
    "Remote_P2P_ICE_NoPublicAddresses": ("The peer offered no address that this end could reach.", True),
    # rare states of both ends' bookkeeping that a new connection does not share
    "Misc_Generic": ("Something uncommon went wrong; the text that came with it says what.", True),
    # a limit or a protocol rule was broken, and the same messages would break it again
    "Misc_InternalError": ("An error in the library or in its use; the text that came with it says what.", False),
    # the peer, or the way to it, may come back
    "Misc_Timeout": (
        "Nothing came from the peer for too long: nobody is there, it has stopped, or the way to it is cut.",
        True,
    ),
    # an outage of a service passes
    "Misc_SteamConnectivity": ("Steam could not be reached.", True),
    # the client opens new relay sessions when it connects again
    "Misc_NoRelaySessionsToClient": ("This hosted server had no relay session left that leads to its client.", True),
    # signals are lost, or the peer was not there yet
    "Misc_P2P_Rendezvous": (
        "The two ends of a P2P connection did not find each other through the signaling service.",
        True,
    ),
    # the same two NATs will be in the way again, until there is a relay
    "Misc_P2P_NAT_Firewall": ("NAT or a firewall is in the way of a direct connection to the peer.", False),
    # the peer has restarted or forgotten this connection, and knows nothing against a new one
    "Misc_PeerSentNoConnection": (
        "The peer has no record of this connection: it has restarted, or given it up already.",
        True,
    ),
    # a new session can be opened at once
    "InternalRelay_SessionIdleTimeout": ("Internal to relays: a session was not used for too long.", True),
    # the client itself went elsewhere
    "InternalRelay_ClientChangedTarget": ("Internal to relays: the client now talks to another server.", False),
    # as for Misc_PeerSentNoConnection, which is what the application gets to see of it
    "Internal_P2PNoConnection": ("Internal to P2P signals: the sender has no record of the connection.", True),
}


# as above, for GNS_END_* of gns_core.h
CORE_END_REASONS = {
    # a server that restarts comes back
    "GOING_AWAY": ("The listen socket or the server that the connection belonged to was closed.", True),
    # the fault may have been this one connection's, and a new one starts afresh
    "INTERNAL_ERROR": ("The code that served this connection failed: a handler raised an exception.", True),
    # a new connection starts with an empty queue
    "MESSAGE_QUEUE_LIMIT_REACHED": (
        "The reader was so slow that its queue of received messages reached its bound.",
        True,
    ),
    # what is refused is the moment, not the peer
    "RATE_LIMITED": ("The server has too many connections at present, or too many new ones, of this address.", True),
    # a process that restarts comes back
    "SHUTDOWN": ("The program at one end shut the library down with the connection still open.", True),
}


RESULTS = {
    "OK": "Done.",
    "Fail": "Not done, for a reason that is not told, or only in the log.",
    "NoConnection": "The connection has ended, or there never was one.",
    "InvalidParam": "An argument is wrong: a handle, a size, a flag.",
    "Busy": "Something of that kind is under way already.",
    "InvalidState": "Not possible in the state that the object is in.",
    "LimitExceeded": "A bound was reached: the send queue is full, or there are too many connections.",
    "DuplicateRequest": "It had been accepted already.",
    "IPNotFound": "No such address.",
    "ConnectFailed": "The session is broken; it has to be closed before a new one can be made.",
    "HandshakeFailed": "The exchange of keys with the peer failed.",
    "Ignored": "Nothing was done: the message was to be sent at once or never, and now was not possible.",
    "Disabled": "This build of the library cannot do that.",
}


SEND_FLAGS = {
    "Unreliable": "May be lost, may arrive late or out of order; never arrives twice.",
    "NoNagle": "Do not wait for further small messages to share the packet with.",
    "UnreliableNoNagle": "UNRELIABLE with NO_NAGLE.",
    "NoDelay": "Send now or never: dropped while the connection is not yet up.",
    "UnreliableNoDelay": "UNRELIABLE with NO_DELAY and NO_NAGLE.",
    "Reliable": "Arrives once, and in order within its lane, as long as the connection lives.",
    "ReliableNoNagle": "RELIABLE with NO_NAGLE.",
    "UseCurrentThread": "Without effect in GNS 1.6.0.",
    "AutoRestartBrokenSession": "For GNS's ad-hoc sessions only, which gns_py does not use.",
}


INFO_FLAGS = {
    "Unauthenticated": "Nobody has vouched for the peer's identity: there is no certificate.",
    "Unencrypted": "The messages travel in the clear.",
    "LoopbackBuffers": "Both ends are in this process and no network is involved.",
    "Fast": "Both ends are on one machine, or seem to be on one local network.",
    "Relayed": "A relay (TURN) carries the packets.",
    "DualWifi": "Packets go over two Wi-Fi bands at once.",
}


LOG_LEVELS = {
    "None": "Nothing is logged.",
    "Bug": "A failed assertion in GNS, or a wrong use of it.",
    "Error": "Something failed that is nobody's bug: a port was taken, a network was gone.",
    "Important": "All is well, and this is worth knowing.",
    "Warning": "Something odd that may explain later trouble.",
    "Msg": "The usual course of events.",
    "Verbose": "The same in more detail.",
    "Debug": "Nearly everything.",
    "Everything": "Down to the contents of packets.",
}


IDENTITY_TYPES = {
    "Invalid": "Nobody: not set, or not known yet.",
    "IPAddress": "An address; localhost stands for a process that has no name.",
    "GenericString": "A name of the application's choice.",
    "GenericBytes": "Bytes of the application's choice.",
    "UnknownType": "A text of a type that this version of GNS does not know.",
    "SteamID": "A Steam account or game server.",
    "XboxPairwiseID": "A user of Xbox Live, as one publisher sees them.",
    "SonyPSN": "A user of the PlayStation Network.",
}


SCOPES = {
    "Global": "The whole process; also the default of everything within.",
    "SocketsInterface": "One instance of GNS's interface; gns_py has one per process and uses GLOBAL instead.",
    "ListenSocket": "One listen socket, and the default of the connections that it accepts.",
    "Connection": "One connection.",
}


TYPES = {
    "Int32": "A whole number of 32 bits.",
    "Int64": "A whole number of 64 bits.",
    "Float": "A number of single precision.",
    "String": "A text.",
    "Ptr": "The address of a function; not for Python.",
}


# GNS's name: (unit, sentence). Options of callbacks are left out: Python functions never get into GNS.
OPTIONS = {
    "TimeoutInitial": (
        "ms",
        "How long a connection may take to be set up, the wait for the other end's accept included.",
    ),
    "TimeoutConnected": (
        "ms",
        "How long the peer may be silent before the connection counts as lost; also bounds lingering.",
    ),
    "SendBufferSize": ("bytes", "How much may wait to be sent or acknowledged before further messages are refused."),
    "RecvBufferSize": (
        "bytes",
        "How much GNS itself holds for the application to read; kept at its maximum by gns_py.",
    ),
    "RecvBufferMessages": ("messages", "How many messages GNS itself holds to be read; kept at its maximum by gns_py."),
    "RecvMaxMessageSize": ("bytes", "The largest message to take from the peer; a larger one ends the connection."),
    "RecvMaxSegmentsPerPacket": (
        "segments",
        "How many pieces of messages one packet may carry; one with more is dropped.",
    ),
    "ConnectionUserData": ("", "A number of the application's choice; set through the connection's user_data."),
    "SendRateMin": ("bytes/s", "The lowest send rate; GNS does not adapt it, so set it equal to send_rate_max."),
    "SendRateMax": (
        "bytes/s",
        "The highest send rate, up to 104857600; without effect where it is below send_rate_min.",
    ),
    "NagleTime": ("us", "How long a small message waits for others that could share its packet."),
    "MTU_PacketSize": ("bytes", "The largest UDP payload to send."),
    "MTU_DataSize": ("bytes", "The largest message that needs one packet only; follows from mtu_packet_size."),
    "IP_AllowWithoutAuth": ("", "Peers without a certificate: 0 refuse, 1 allow and warn, 2 allow."),
    "IPLocalHost_AllowWithoutAuth": ("", "The same for peers on this machine; the more permissive of both counts."),
    "Unencrypted": (
        "",
        "Sending in the clear: 0 no, 1 allowed, 2 preferred (by the end that accepts), 3 required.",
    ),
    "SymmetricConnect": ("", "P2P: 1 if both ends may connect to each other at the same time and get one connection."),
    "LocalVirtualPort": ("", "P2P: the virtual port of this end of an outgoing connection; -1 for the peer's."),
    "LogLevel_AckRTT": ("", "How much to log about acknowledgements and round trips, as a LogLevel."),
    "LogLevel_PacketDecode": ("", "How much to log about the contents of packets, as a LogLevel."),
    "LogLevel_Message": ("", "How much to log about each message sent and received, as a LogLevel."),
    "LogLevel_PacketGaps": ("", "How much to log about packets that are missing, as a LogLevel."),
    "LogLevel_P2PRendezvous": ("", "How much to log about P2P signals, as a LogLevel."),
    "SendTimeSincePreviousPacket": (
        "",
        "Let the peer measure jitter exactly: 0 no, 1 yes, -1 for relayed connections only.",
    ),
    "P2P_STUN_ServerList": ("", "P2P: STUN servers, host:port separated by commas; addresses, as names block GNS."),
    "P2P_TURN_ServerList": ("", "P2P: TURN servers, host:port separated by commas; addresses, as names block GNS."),
    "P2P_TURN_UserList": ("", "P2P: one user name for each TURN server, separated by commas."),
    "P2P_TURN_PassList": ("", "P2P: one password for each TURN server, separated by commas."),
    "P2P_Transport_ICE_Enable": (
        "",
        "P2P: addresses that the peer may get, added up: 1 relayed, 2 private, 4 public; 0 none.",
    ),
    "P2P_Transport_ICE_Penalty": ("ms", "P2P: what is added to the ping of direct ways when ways are compared."),
    "P2P_Transport_ICE_Implementation": ("", "P2P: 0 the default, 1 GNS's own, 2 WebRTC, which is not built in."),
    "FakePacketLoss_Send": ("percent", "Simulation: outgoing packets to throw away."),
    "FakePacketLoss_Recv": ("percent", "Simulation: incoming packets to throw away."),
    "FakePacketLag_Send": ("ms", "Simulation: delay of outgoing packets."),
    "FakePacketLag_Recv": ("ms", "Simulation: delay of incoming packets."),
    "FakePacketReorder_Send": (
        "percent",
        "Simulation: outgoing packets to hold back so that later ones overtake them.",
    ),
    "FakePacketReorder_Recv": (
        "percent",
        "Simulation: incoming packets to hold back so that later ones overtake them.",
    ),
    "FakePacketReorder_Time": ("ms", "Simulation: how long packets that shall be overtaken are held back."),
    "FakePacketDup_Send": ("percent", "Simulation: outgoing packets to send twice."),
    "FakePacketDup_Recv": ("percent", "Simulation: incoming packets to take twice."),
    "FakePacketDup_TimeMax": ("ms", "Simulation: how long after the first the second of a pair comes, at most."),
    "PacketTraceMaxBytes": ("bytes", "Log each packet with this many of its bytes; -1 for no such log."),
    "FakeRateLimit_Send_Rate": ("bytes/s", "Simulation: outgoing bandwidth; 0 for no limit."),
    "FakeRateLimit_Send_Burst": ("bytes", "Simulation: how much may go out at once after a pause."),
    "FakeRateLimit_Recv_Rate": ("bytes/s", "Simulation: incoming bandwidth; 0 for no limit."),
    "FakeRateLimit_Recv_Burst": ("bytes", "Simulation: how much may come in at once after a pause."),
    "OutOfOrderCorrectionWindowMicroseconds": ("us", "How long a packet that came early waits for the one before it."),
    "FakePacketJitter_Send_Avg": ("ms", "Simulation: mean extra delay of outgoing packets; 0 for none."),
    "FakePacketJitter_Send_Max": ("ms", "Simulation: largest extra delay of outgoing packets."),
    "FakePacketJitter_Send_Pct": ("percent", "Simulation: outgoing packets that get an extra delay."),
    "FakePacketJitter_Recv_Avg": ("ms", "Simulation: mean extra delay of incoming packets; 0 for none."),
    "FakePacketJitter_Recv_Max": ("ms", "Simulation: largest extra delay of incoming packets."),
    "FakePacketJitter_Recv_Pct": ("percent", "Simulation: incoming packets that get an extra delay."),
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
        "How many reliable pieces may be on their way before sends are refused.",
    ),
}


# Options that are no fields of Config: what to say to who tries.
NOT_IN_CONFIG = {
    "RecvBufferSize": "is kept at its maximum: bound what waits to be read with recv_queue_bytes",
    "RecvBufferMessages": "is kept at its maximum: bound what waits to be read with recv_queue_messages",
    "ConnectionUserData": "is not an option here: set the connection's user_data",
    "MTU_DataSize": "can only be read: set mtu_packet_size",
}
