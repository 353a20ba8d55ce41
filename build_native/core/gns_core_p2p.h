/* A part of gns_core.h, whose rules hold here, too: connections from peer to peer (P2P), over routes that ICE finds.

   Peers find each other through a signalling service of the program's: anything that carries signals, which are small
   blobs, from one identity to another, and proves who has sent them. Signals may be lost, repeated, delayed and
   reordered: GNS sends them again. The core hands them out as events, and takes them with gns_signal.
   Such connections and listen sockets have the same kinds of handle as others, and all functions take them.

   Who is trusted with what: the service may lose connections that are not established yet, and learns the peers'
   addresses. No signal ends an established connection, whose content it can neither read nor forge. But it knows ICE's
   passwords: if it can also send packets to the peers, it can lead theirs astray. Only certificates keep it from posing
   as a peer.

   States: an outgoing connection is Connecting (1) until the peer has accepted it, then FindingRoute (2) until packets
   arrive over a route that ICE has found, then Connected (3); an inbound one is Connecting until gns_accept, and goes
   on in the same way. Each step is a status event. TimeoutInitial limits each of the first two, and 5008 is the reason
   if no route is found, 5003 if the peer does not answer. Messages sent before Connected are queued and go out then,
   unless they have GNS_SEND_NO_DELAY; the peer, which may be connected a moment later, discards unreliable ones that
   arrive before that. gns_close before Connected discards what is queued, even with linger, and tells the peer by a
   signal.

   Signals leave while GNS holds its locks (4 in the lock order), which go before a mailbox's (6).
 */

#define GNS_ERROR_NO_IDENTITY -1021 /* this process has no identity: see gns_start */
#define GNS_ERROR_BAD_SIGNAL -1022  /* not a signal, or another's than the sender's; gns_last_error_text says which */

/* A signal to be sent, in the mailbox of its signalling, whose handle is in the event's `connection`. Payload: one
   byte, the size of the receiver's identity; that identity's canonical text; the signal. */
#define GNS_EVENT_SIGNAL 8
/* A connected connection has another route than before; old_state, new_state: GNS_ROUTE_*. Payload:
   gns_connection_info. The first route is reported by the status event of Connected. */
#define GNS_EVENT_ROUTE 9

#define GNS_ROUTE_UNKNOWN 0 /* no route yet, or not P2P */
#define GNS_ROUTE_LOCAL 1   /* direct, within a network that both are in */
#define GNS_ROUTE_DIRECT 2
#define GNS_ROUTE_RELAYED 3 /* through a TURN server; remote_address is all zero */

#define GNS_MAX_SIGNAL 8192
#define GNS_MAX_VIRTUAL_PORT 65535

/* Counts signals since the signalling was created. Dropped means: GNS never saw it, and the sender was not told. */
typedef struct {
    int64_t sent;          /* as events */
    int64_t sent_dropped;  /* as 1,024 signals, or 1 MiB of them, wait in the mailbox already */
    int64_t received;      /* that GNS was given */
    int64_t bad;           /* GNS_ERROR_BAD_SIGNAL, or too large */
    int64_t flooded;       /* refused by gns_signal, as too many wait for GNS */
    int64_t ends_dropped;  /* that would have ended an established connection, which only its own packets can */
    int64_t stray;         /* for no connection of this signalling's: as a rule, for one that has ended */
    int64_t not_listening; /* requests for a port with no listen socket; this and the next three are dropped */
    int64_t repeated;      /* requests of a connection that was refused here, or has ended, in the last 15 s, or for a
                              second symmetric one */
    int64_t rate;          /* requests beyond 10 in 10 s of one identity */
    int64_t pending;       /* requests while 64 wait for gns_accept or gns_close */
} gns_signalling_counters;

/* Begins to hand out signals as events of this mailbox. Errors: NO_MEMORY. */
int32_t gns_signalling_create(uint64_t mailbox, uint64_t *signalling);
/* Forgets it: connections that still need signals will fail by their timeouts, established ones go on, listen sockets
   hear of no more requests. Signals in the mailbox stay there. Each connection takes signals of its own signalling
   only: a program that loses its service and finds it again keeps the signalling. */
int32_t gns_signalling_destroy(uint64_t signalling);
int32_t gns_signalling_counters_get(uint64_t signalling, gns_signalling_counters *counters);
/* Takes a signal that has arrived. sender: who has sent it, as the signalling service has proved, not as the signal or
   its sender claims. Never blocks: GNS gets it soon. Errors: BAD_IDENTITY (the sender is not an identity), TOO_LARGE
   (over GNS_MAX_SIGNAL), BAD_SIGNAL, LimitExceeded (256 of this signalling's wait for GNS). It drops what no honest GNS
   sends: plain messages, more than 64 candidates of one connection, closing an established connection. */
int32_t gns_signal(uint64_t signalling, const char *sender, int32_t sender_size, const void *data, int32_t size);

/* Listens to requests that arrive through the signalling, for a virtual port (0..65535): a number by which peers name
   it, not a port of the system's. New connections are reported as by gns_listen. Errors: NO_IDENTITY, SYSTEM (another
   P2P listen socket has that port), InvalidParam (port), BAD_VALUE (see below), CERTIFICATE, NATIVE, those of options
   and of gns_peer_policy_set.
   Options of ICE servers, at all scopes: lists with commas and without blanks. The servers of STUN and TURN are numbers
   and ports, as 192.0.2.1:3478 or [2001:db8::1]:3478, at most 16, otherwise BAD_VALUE: GNS would resolve names while
   nothing else runs. Users and passwords of TURN are as many as its servers, or none. */
int32_t gns_p2p_listen(uint64_t mailbox, uint64_t signalling, int32_t port, const gns_option *options,
                       int32_t option_count, const gns_peer_policy *policy, uint64_t *listen_socket);
/* Begins to connect to the virtual port of a peer; its events go to the mailbox, as by gns_connect. With the option
   SymmetricConnect, here and at this process's listen socket of the same port, two peers that connect to each other at
   the same time get one connection. If the peer's request waits at that listen socket already, it ends there (state 0,
   reason GNS_END_TAKEN_OVER), and goes on as this connection. Errors: NO_IDENTITY, BAD_IDENTITY, InvalidParam (port),
   -29 DuplicateRequest (there is such a symmetric connection already), LimitExceeded, SYSTEM, BAD_VALUE, CERTIFICATE
   (this process's has expired; the peer whose request waits does not prove what the policy demands), NATIVE (the text
   says why: ICE may be off, or have no kind of candidate left), those of options and of gns_peer_policy_set. */
int32_t gns_p2p_connect(uint64_t mailbox, uint64_t signalling, const char *identity, int32_t identity_size,
                        int32_t port, const gns_option *options, int32_t option_count, const gns_peer_policy *policy,
                        uint64_t *connection);
