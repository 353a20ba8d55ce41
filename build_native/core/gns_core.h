/* gns_core: GameNetworkingSockets (GNS) behind one plain C interface.

   This file has two readers: the C++ core includes it (through core_api.hpp), and Python's cffi parses it as it is.
   Therefore: fixed widths, explicit padding, opaque handles, no bool, no preprocessor but plain "#define NAME number".
   Its continuations, read after it: gns_core_streams.h, gns_core_certificates.h, gns_core_p2p.h.

   Threads    Every function may be called from any thread, unless it says otherwise; gns_start and gns_stop exclude
              each other. GNS is served in turns, by one thread at a time: a caller that waits for a mailbox, or sends,
              or otherwise the core's own thread, the pump. Nothing here ever calls back into the caller.
   Results    0 or more is success. A negative number is an error: GNS_ERROR_* below, or a negated EResult of GNS
              (-3 NoConnection, -8 InvalidParam, -11 InvalidState, -25 LimitExceeded, -41 Ignored, ...).
              Not repeated below: GNS_ERROR_NOT_RUNNING, and GNS_ERROR_FORKED in a forked child, from every function
              but the layout, build, time, log and *_text ones; GNS_ERROR_BAD_HANDLE wherever a handle is taken.
   Handles    64-bit numbers, never 0. A handle is dead as soon as it is closed or destroyed, and is never reused.
   Ownership  Buffers and texts that go in are copied before the call returns. Buffers that come out belong to the
              caller; "const char *" results are static. Texts go in with their size in bytes and need no terminator;
              texts in structs are UTF-8, terminated, cut at a whole character.
   Times      Microseconds of gns_time_us's clock (GNS's own: monotonic, arbitrary base). Negative timeout: no limit.
   Order      Sends, flushes, lane changes and the close of one connection take effect in the order of the calls.

   Lock order, outermost first; a thread takes only locks that are further down than all that it holds:
     1 life cycle   2 GNS calls (shared by direct calls of GNS, exclusive while GNS starts or stops)
     3 a turn of serving; before it, leading, which a guest holds
     4 GNS's own (its global one also guards admission and trust)   5 connection end   6 mailbox
     7 leaves: command queue, pump parking, handle tables, log queue, grants of credit
   Sleepers have none. GNS calls the log sink and frees messages with its own locks held. The sink takes only the log
   queue's; freeing takes none, but off the serving thread it may take 2, shared, to wake the pump: GNS holds none then.
 */

/* ---- numbers ---- */
#define GNS_ERROR_NOT_RUNNING -1001 /* gns_start was not called, or gns_stop was */
#define GNS_ERROR_FORKED -1002      /* this process is a fork of the one that called gns_start */
#define GNS_ERROR_BAD_HANDLE -1003  /* never was a handle, or is closed */
#define GNS_ERROR_TOO_LARGE -1004   /* can never be sent: over 512 KiB, or over the connection's send_buffer_size */
#define GNS_ERROR_BUFFER_TOO_SMALL -1005 /* the size that is needed is reported */
#define GNS_ERROR_NATIVE -1006           /* GNS refused; gns_last_error_text says why */
#define GNS_ERROR_RUNNING -1007          /* already started, with another identity */
#define GNS_ERROR_NO_MEMORY -1008
#define GNS_ERROR_UNKNOWN_OPTION -1009
#define GNS_ERROR_WRONG_SCOPE -1010 /* the option does not exist at that scope */
#define GNS_ERROR_WRONG_TYPE -1011
#define GNS_ERROR_LOCKED -1012       /* the option can no longer be changed */
#define GNS_ERROR_RESERVED -1013     /* the core sets the option: use recv_queue_bytes, recv_queue_messages */
#define GNS_ERROR_BAD_TEXT -1014     /* too long, or with a NUL byte */
#define GNS_ERROR_BAD_REASON -1015   /* outside 1000..2999 */
#define GNS_ERROR_BAD_IDENTITY -1016 /* not an identity that GNS can parse */
#define GNS_ERROR_BAD_VALUE -1017    /* outside the option's range */
#define GNS_ERROR_HELD -1018         /* a framed message has no credit, or must wait for others */
#define GNS_ERROR_SYSTEM -1019       /* the system refused; gns_last_error_number says why */
#define GNS_ERROR_CERTIFICATE -1020  /* a certificate or a key is not right; gns_last_error_text says why */

#define GNS_SCOPE_GLOBAL 1
#define GNS_SCOPE_LISTEN_SOCKET 3
#define GNS_SCOPE_CONNECTION 4
#define GNS_TYPE_INT32 1
#define GNS_TYPE_INT64 2
#define GNS_TYPE_FLOAT 3
#define GNS_TYPE_STRING 4

/* The core's own options, in addition to GNS's numbers. They exist at all three scopes and are inherited at creation,
   by a connection from its listen socket, by that from the global scope. All int32. */
#define GNS_CONFIG_RECV_QUEUE_BYTES 10001     /* bytes a connection may have waiting in its mailbox */
#define GNS_CONFIG_RECV_QUEUE_MESSAGES 10002  /* messages a connection may have waiting in its mailbox */
#define GNS_CONFIG_MAX_UNACKED_SEGMENTS 10003 /* reliable pieces queued or unacked; GNS can hold 65,535 */

#define GNS_EVENT_STATUS 1      /* payload: gns_connection_info; a new inbound connection is old_state 0, new_state 1 */
#define GNS_EVENT_MESSAGE 2     /* payload: the message */
#define GNS_EVENT_DRAINED 3     /* what gns_connection_notify_drained asked for */
#define GNS_EVENT_SEND_FAILED 4 /* GNS refused message `number` after gns_send had taken it; code: the result */
#define GNS_EVENT_PONG 5        /* what gns_connection_ping asked for; number: the round trip, microseconds */
#define GNS_EVENT_DATA 6        /* after gns_stream_open: a DATA or UNTRACKED frame's payload; number: DATA's own */
#define GNS_EVENT_ACK_DUE_DATA 7 /* the same, and once it is handled, gns_stream_grant is due */

#define GNS_END_GOING_AWAY 1001                  /* the listen socket of this connection was closed */
#define GNS_END_TAKEN_OVER 1002                  /* a request: this end has connected to the peer itself */
#define GNS_END_INTERNAL_ERROR 2001              /* the program that owned this connection failed */
#define GNS_END_MESSAGE_QUEUE_LIMIT_REACHED 2003 /* the reader was too slow for the limits of its queue */
#define GNS_END_RATE_LIMITED 2004                /* the listen socket's limits allow no more connections at present */
#define GNS_END_SHUTDOWN 2999                    /* gns_stop while the connection was open (GNS's own number) */
#define GNS_SEND_NO_NAGLE 1
#define GNS_SEND_NO_DELAY 4
#define GNS_SEND_RELIABLE 8
#define GNS_SEND_FRAMED 65536  /* the payload of a DATA frame if it is reliable, of UNTRACKED if not */
#define GNS_SEND_WAITED 131072 /* framed, and one of the messages that gns_stream_hold makes way for */
#define GNS_HOLD_NONE 0        /* this and the next two: which framed messages are held back */
#define GNS_HOLD_DATA 1
#define GNS_HOLD_ALL 2
#define GNS_NO_LIMIT -1
#define GNS_SEE_BATCH 2
#define GNS_MAX_MESSAGE_SIZE 524288
#define GNS_MAX_END_TEXT 127
#define GNS_MAX_NAME 31
#define GNS_MAX_LANES 255

/* ---- structs ---- */
typedef struct {
    uint8_t ip[16]; /* IPv6, network order; IPv4 as ::ffff:a.b.c.d; all zero: every interface, both families */
    uint16_t port;  /* host order */
    uint8_t reserved[6];
} gns_address;

typedef struct {
    int32_t value; /* GNS's ESteamNetworkingConfigValue, or GNS_CONFIG_* */
    int32_t type;  /* GNS_TYPE_*: which of the next three members counts */
    int64_t integer;
    double real;
    const char *string; /* terminated */
} gns_option;

/* How many connections a listen socket lets in, of peers that prove that they receive at their address. A refused peer
   gets no connection, and learns GNS_END_RATE_LIMITED. Half open: the peer has not yet sent what only the holder of its
   keys can send. An IPv6 network of 64 bits counts as one address, IPv4 as itself even through an IPv6 socket. */
typedef struct {
    double rate_per_address;   /* connections per second, in the long run; this and the others: or GNS_NO_LIMIT */
    int32_t burst_per_address; /* this many may arrive faster than that; at least 1 */
    int32_t max_half_open;     /* beyond it, one that is 3 s old gives way, this many per 3 s; as many may be closing */
    int32_t max_half_open_per_address;
    int32_t max_connections_per_address; /* half open or open */
} gns_limits;

/* Counts the peers that wanted to connect since the listen socket was opened, by what became of them. */
typedef struct {
    int64_t admitted;
    int64_t rate, half_open, half_open_per_address, connections_per_address; /* refused, by the limit that did it */
    int64_t gave_way; /* admitted, and ended in favor of a newer one while half open */
} gns_limit_counters;

/* What a peer must prove in the handshake, all of it. If it does not, the handshake ends with reason 4003 and a text,
   at both ends, before anything else is sent to it. */
typedef struct {
    const char *identity;  /* that it has this identity, by a trusted certificate, or by one of the keys */
    const uint8_t *keys;   /* that it has one of these keys, of 32 bytes each, with any certificate or none */
    int32_t identity_size; /* 0: any identity */
    int32_t key_count;     /* 0: any key */
    int32_t authenticated; /* 1: that it has its identity by a trusted certificate; 0: not; -1: as the process wants */
    int32_t reserved;
} gns_peer_policy;

typedef struct {
    uint64_t connection;
    int64_t number;               /* message number on its lane, from 1 */
    int64_t time_us;              /* when it arrived */
    uint64_t offset;              /* of this event's payload in the batch's payload buffer */
    uint32_t size;                /* of the payload, in bytes */
    int32_t kind;                 /* GNS_EVENT_* */
    int32_t old_state, new_state; /* status, route */
    int32_t code;                 /* status: end reason or 0; send failed: the result */
    uint16_t lane, flags;         /* flags: message: GNS_SEND_RELIABLE or 0; data: GNS_SEND_RELIABLE for DATA */
} gns_event;

typedef struct {
    int32_t events, more;   /* how many were written; more: 1 if others are waiting */
    uint64_t payload;       /* bytes written, or, with GNS_ERROR_BUFFER_TOO_SMALL, bytes that the next event needs */
    int32_t logs, reserved; /* logs: 1 if log records are waiting */
} gns_batch;

typedef struct {
    uint64_t listen_socket; /* 0: this side called connect, or made the pair */
    int64_t user_data;      /* -1 until set */
    int32_t state;
    int32_t end_reason;    /* 0 until it ends */
    int32_t flags;         /* k_nSteamNetworkConnectionInfoFlags_* */
    int32_t authenticated; /* 1: a trusted certificate proves the identity */
    gns_address remote_address;
    char identity[128], end_text[128], description[128]; /* identity: the peer's, as it claims unless authenticated */
    int64_t peer_key_expires;                            /* seconds since 1970; 0 unless authenticated */
    uint8_t peer_key[32];                                /* all zero before the handshake, and for pairs */
    int32_t route, virtual_port; /* GNS_ROUTE_*; the port that was asked for, -1 if not P2P: see gns_core_p2p.h */
} gns_connection_info;

typedef struct {
    int32_t state, ping_ms;              /* ping_ms: -1: unknown */
    float quality_local, quality_remote; /* 0..1, -1: unknown */
    float out_packets_per_second, out_bytes_per_second, in_packets_per_second, in_bytes_per_second;
    int32_t send_rate; /* bytes/s that the connection may send at present */
    int32_t pending_unreliable, pending_reliable, sent_unacked_reliable; /* bytes; pending: not sent yet */
    int64_t queue_time_us;           /* how long a message sent now would wait; INT64_MAX while not connected */
    int32_t max_jitter_us, reserved; /* max_jitter_us: since the last call; -1: unknown */
} gns_connection_status;

typedef struct {
    int32_t pending_unreliable, pending_reliable, sent_unacked_reliable, reserved;
    int64_t queue_time_us;
} gns_lane_status;

typedef struct {
    int64_t time_us;
    gns_connection_status status;
} gns_sample;

typedef struct {
    int64_t bytes, messages; /* queued or unacked; bytes include some framing per message */
    int64_t segments;        /* an upper estimate of what GNS needs for them */
    int64_t max_bytes;       /* send_buffer_size */
    int64_t max_segments;    /* max_unacked_segments */
} gns_send_queue;

typedef struct {
    int64_t time_us;
    int32_t level; /* 1 bug, 2 error, 3 important, 4 warning, 5 message, 6 verbose, 7 debug, 8 everything */
    int32_t size;
    char text[2048];
} gns_log_record;

typedef struct {
    const char *struct_name;
    const char *field;     /* "": the struct itself, size and alignment */
    uint32_t size, offset; /* offset: the alignment where field is "" */
} gns_layout_entry;

typedef struct {
    const char *version, *gns_version, *protobuf_version; /* version: gns_py's */
    const char *crypto;                                   /* name and version of the crypto library */
    const char *mode;                                     /* vendored or system */
    const char *build_type, *compiler;
    const char *platform; /* system and processor that it was built for */
} gns_build_info;

/* ---- about the library ---- */
/* Lists all structs and fields above, for the reader to compare with its own layout. */
const gns_layout_entry *gns_layout(int32_t *count);
const gns_build_info *gns_build(void);
int64_t gns_time_us(void); /* GNS's clock. Needs no gns_start. */
/* Says why this thread's last failed call failed: in GNS's words if there are any, else in the core's; "" before. */
const char *gns_last_error_text(void);
/* The system's number (errno; on Windows its own) for that failure; 0 if the system was not the cause. */
int32_t gns_last_error_number(void);
/* Describes an error code; "" for an unknown one. */
const char *gns_error_text(int32_t code);

/* ---- life cycle ---- */
/* Starts GNS under an identity (text: see gns_identity_parse; size 0: none) and the pump. 0: started, 1: was already
   running under this identity, or under any if size is 0. Errors: RUNNING (the text says as what), BAD_IDENTITY,
   NATIVE, SYSTEM (descriptors, threads); nothing has started then. Blocks for some milliseconds. The pump takes no
   signals. */
int32_t gns_start(const char *identity, int32_t size);
/* Ends everything: waits up to linger_us for what closed connections still have to deliver, ends each open connection
   with GNS_END_SHUTDOWN (which its mailbox and its peer learn), stops the pump, ends GNS. Calls that wait return.
   Mailboxes stay readable until they are destroyed. Returns 0, also if nothing runs. */
int32_t gns_stop(int64_t linger_us);
/* Returns the number of closed connections that still deliver, for callers that poll before gns_stop. */
int32_t gns_lingering(void);
/* 1 or 0; GNS_ERROR_FORKED in a forked child. */
int32_t gns_running(void);
/* Writes the canonical text of an identity ("str:alice", "steamid:...", "ip:...", "gen:0a0b", ...) into out[128]. Needs
   no gns_start. Errors: BAD_IDENTITY, BAD_TEXT. */
int32_t gns_identity_parse(const char *text, int32_t size, char *out);
/* Writes this process's identity into out[128]. */
int32_t gns_identity(char *out);

/* ---- mailboxes: where events wait ---- */
/* Errors: NO_MEMORY. */
int32_t gns_mailbox_create(uint64_t *mailbox);
/* For a reader that sorts what it receives into queues of its own: makes messages count against their connections'
   limits until gns_connection_handled says that they have left those queues. */
int32_t gns_mailbox_count_until_handled(uint64_t mailbox);
int32_t gns_connection_handled(uint64_t connection, int64_t messages, int64_t bytes);
/* Frees a mailbox and its events; its connections go on, without events. Receives that wait return BAD_HANDLE. */
int32_t gns_mailbox_destroy(uint64_t mailbox);
/* Returns a descriptor (a SOCKET on Windows) for an event loop. While it is readable, receive: events wait, or packets
   that the loop is to serve. It is made once and is the mailbox's: never read, write or close it. Errors: SYSTEM. */
int64_t gns_mailbox_fd(uint64_t mailbox);
/* For event loops that cannot watch that descriptor: makes the mailbox send a byte to this socket when the first event
   arrives, and the next byte only after a receive has left nothing waiting. The socket is the caller's, to be closed
   after the mailbox is destroyed, or after gns_mailbox_fd, which takes its place. */
int32_t gns_mailbox_notify(uint64_t mailbox, int64_t socket);
/* Makes one receive that waits, or the next, return at once, with no events if there are none. */
int32_t gns_mailbox_wake(uint64_t mailbox);
/* Waits up to timeout_us (0: not at all) for events, then moves up to max_events out, oldest first, as many as fit:
   records into events, payloads one after another into payload, each at a multiple of 8. Returns how many, 0 at the
   timeout. Errors: BUFFER_TOO_SMALL (nothing is moved, batch->payload is the size that the first one needs);
   NOT_RUNNING only once nothing is waiting. Several threads may receive; each event reaches one of them. */
int32_t gns_mailbox_receive(uint64_t mailbox, int64_t timeout_us, gns_event *events, int32_t max_events, void *payload,
                            uint64_t capacity, gns_batch *batch);
/* The same, for a caller that looks at `batch` only if it has to: returns 1 for one event and 0 for none, if neither
   events nor log lines wait behind, and otherwise GNS_SEE_BATCH. */
int32_t gns_mailbox_receive_one(uint64_t mailbox, int64_t timeout_us, gns_event *events, int32_t max_events,
                                void *payload, uint64_t capacity, gns_batch *batch);

/* ---- sockets and connections ---- */
/* Opens a UDP port. New connections are reported to the mailbox (status, 0 -> 1) and wait for gns_accept or gns_close.
   limits: or NULL. policy: or NULL, the process's. Errors: SYSTEM (port taken, ...), NATIVE, BAD_VALUE (limits),
   InvalidParam (port 0), CERTIFICATE (this process's has expired), those of options and of gns_peer_policy_set. */
int32_t gns_listen(uint64_t mailbox, const gns_address *address, const gns_option *options, int32_t option_count,
                   const gns_limits *limits, const gns_peer_policy *policy, uint64_t *listen_socket);
int32_t gns_listen_address(uint64_t listen_socket, gns_address *address);
/* All zero without limits. Never blocks. */
int32_t gns_listen_counters(uint64_t listen_socket, gns_limit_counters *counters);
/* Closes it and its connections, these as gns_close does with reason, text and linger. The port is released at once if
   nothing lingers, otherwise when that is delivered or the connections time out. Errors: BAD_REASON, BAD_TEXT. */
int32_t gns_listen_close(uint64_t listen_socket, int32_t reason, const char *text, int32_t size, int32_t linger);
/* Begins to connect; its events go to the mailbox, beginning with status 0 -> 1. If a place or a descriptor is missing,
   closed connections that still wait for their peer's answer give way. Errors: LimitExceeded (8,191 connections, with
   inbound ones closed in the last 5 s), SYSTEM (no descriptor, no such address family), NATIVE, CERTIFICATE (this
   process's has expired), those of options and of gns_peer_policy_set. policy: or NULL, the process's. */
int32_t gns_connect(uint64_t mailbox, const gns_address *address, const gns_option *options, int32_t option_count,
                    const gns_peer_policy *policy, uint64_t *connection);
/* Accepts an inbound connection and sends its events to `mailbox` from here on (0: where they went). Errors:
   InvalidState (already accepted), NoConnection (it has ended), InvalidParam (not an inbound one), HandshakeFailed. */
int32_t gns_accept(uint64_t connection, uint64_t mailbox);
/* Sends a connection's events to another mailbox from here on, along with those that wait, in their order. */
int32_t gns_connection_move(uint64_t connection, uint64_t mailbox);
/* Closes a connection, or refuses an inbound one. The handle is dead at once, unread messages are gone, and the mailbox
   gets the terminal status event (new_state 0) unless the connection had ended before. linger != 0: what was sent is
   still delivered, in the background, bounded by the connection's timeout. Errors: BAD_REASON, BAD_TEXT. */
int32_t gns_close(uint64_t connection, int32_t reason, const char *text, int32_t size, int32_t linger);
/* Makes two connected ends in this process: network 0, in memory; 1, over UDP on loopback. The other end sees
   identity_a for a. Sizes 0: none. No event is reported. Errors: BAD_IDENTITY, LimitExceeded, SYSTEM, NATIVE. */
int32_t gns_socket_pair(uint64_t mailbox_a, uint64_t mailbox_b, int32_t network, const char *identity_a, int32_t size_a,
                        const char *identity_b, int32_t size_b, uint64_t *connection_a, uint64_t *connection_b);

/* ---- sending ---- */
/* Queues a message and returns its number on its lane. Never blocks on the network. What GNS refuses later is an event
   (SEND_FAILED). Errors, with nothing queued: LimitExceeded (the send queue is full), TOO_LARGE, NoConnection (it has
   ended), Ignored (GNS_SEND_NO_DELAY while not connected), InvalidParam (flags, lane). */
int64_t gns_send(uint64_t connection, const void *data, uint32_t size, int32_t flags, uint16_t lane);
/* Queues `count` messages that lie one after another in data, in one step. Returns how many were taken, from the first
   on; if fewer than count, *error says why the next one was not: see gns_send. first_number: the first one's. */
int32_t gns_send_many(uint64_t connection, const void *data, const uint32_t *sizes, int32_t count, int32_t flags,
                      uint16_t lane, int64_t *first_number, int32_t *error);
/* Sends one message to `count` connections, copied once; returns how many took it. results[i]: see gns_send. */
int32_t gns_broadcast(const uint64_t *connections, int32_t count, const void *data, uint32_t size, int32_t flags,
                      uint16_t lane, int64_t *results);
int32_t gns_flush(uint64_t connection); /* sends what waits for Nagle's timer */
/* Sets the outgoing lanes: priorities (lower goes first), weights (1..65535, shares within one priority; NULL: equal).
   1..255 lanes, never fewer than before. Errors: InvalidParam, InvalidState, NoConnection. */
int32_t gns_configure_lanes(uint64_t connection, int32_t count, const int32_t *priorities, const uint16_t *weights);
/* Reports what is on its way out. Never blocks. Also right after the connection has ended. */
int32_t gns_connection_send_queue(uint64_t connection, gns_send_queue *queue);
/* Asks for one GNS_EVENT_DRAINED as soon as at most max_bytes and max_segments are queued or unacked; none arrives
   after the end. A new call replaces the last. */
int32_t gns_connection_notify_drained(uint64_t connection, int64_t max_bytes, int64_t max_segments);
/* Waits for that: 1, or 0 at the timeout. Errors: NoConnection (it has ended or ends). Any number of threads. */
int32_t gns_connection_wait_drained(uint64_t connection, int64_t timeout_us, int64_t max_bytes, int64_t max_segments);

/* ---- about a connection ---- */
/* The state now; after the end, until gns_close, the last state. Never blocks. */
int32_t gns_connection_state(uint64_t connection);
/* Waits until it has ended, whoever ended it: 1, or 0 at the timeout. Takes no events. Any number of threads. */
int32_t gns_connection_wait_ended(uint64_t connection, int64_t timeout_us);
int32_t gns_connection_info_get(uint64_t connection, gns_connection_info *info);
/* lanes may be NULL (lane_count 0). Errors: InvalidParam (more lanes than it has). After the end: the last status. */
int32_t gns_connection_status_get(uint64_t connection, gns_connection_status *status, int32_t lane_count,
                                  gns_lane_status *lanes);
/* Notes the status every interval_us (at least 1,000) and keeps the last `capacity` notes (0: none, and stops; at most
   1,000,000). Each note restarts max_jitter_us. Errors: BAD_VALUE, NO_MEMORY. */
int32_t gns_connection_history_start(uint64_t connection, int64_t interval_us, int32_t capacity);
/* Reads the last `capacity` notes, oldest first; returns how many. They outlive the end, until gns_close. */
int32_t gns_connection_history(uint64_t connection, gns_sample *samples, int32_t capacity);
/* Makes the peer's GNS answer, once connected: one GNS_EVENT_PONG reports the round trip, for all calls until
   then. A lost packet is sent again, and the time starts over. No event after the end. Errors: NoConnection. */
int32_t gns_connection_ping(uint64_t connection);
/* Waits for that: 1 and the round trip, or 0 at the timeout. Errors: NoConnection (it has ended, or ends meanwhile). */
int32_t gns_connection_wait_pong(uint64_t connection, int64_t timeout_us, int64_t *round_trip_us);
/* Writes GNS's own report for people, terminated, and returns its length. Errors: BUFFER_TOO_SMALL, NoConnection. */
int32_t gns_connection_details(uint64_t connection, char *text, int32_t capacity);
/* At most 31 bytes; shown in GNS's log lines. Errors: BAD_TEXT. */
int32_t gns_connection_set_name(uint64_t connection, const char *name, int32_t size);
int32_t gns_connection_get_name(uint64_t connection, char *name, int32_t capacity);
int32_t gns_connection_set_user_data(uint64_t connection, int64_t user_data);

/* ---- configuration ---- */
/* Sets one option. object: the handle, 0 at the global scope. Errors: UNKNOWN_OPTION, WRONG_SCOPE, WRONG_TYPE, LOCKED,
   RESERVED, BAD_VALUE (the core's own options; GNS clamps its own: check ranges before), NoConnection. */
int32_t gns_config_set(int32_t scope, uint64_t object, const gns_option *option);
/* Goes back to what the outer scope says (global: to the default). Errors: see gns_config_set. */
int32_t gns_config_reset(int32_t scope, uint64_t object, int32_t value);
/* Reads one option: result->type and the member that belongs to it; a string goes to text. Returns 1 if the value is
   inherited, otherwise 0. Errors: see gns_config_set; BUFFER_TOO_SMALL. */
int32_t gns_config_get(int32_t scope, uint64_t object, int32_t value, gns_option *result, char *text, int32_t capacity);
/* Reads GNS's name, type and innermost scope of an option; NULL: this build does not have it. Needs gns_start. */
const char *gns_config_info(int32_t value, int32_t *type, int32_t *scope);

/* ---- log ---- */
/* Sets which lines of GNS are kept: this level and more severe ones (0: none), and what LogLevel_... options ask for.
   Of similar ones up to level 4, ten per 3 s are kept, and one that counts the rest. Works before gns_start, too. */
int32_t gns_log_set_level(int32_t level);
/* Moves up to `count` log records out, oldest first; returns how many. dropped: lines lost since the last call, as they
   were not fetched (1,024 are kept). Works before gns_start and after gns_stop. */
int32_t gns_log_receive(gns_log_record *records, int32_t count, int64_t *dropped);
