/* gns_core: GameNetworkingSockets (GNS) behind one plain C interface.

   Two readers: the C++ core includes this file (through core_api.hpp), Python's cffi parses it as it is. Therefore:
   fixed widths, explicit padding, opaque handles, no bool, no preprocessor but plain "#define NAME number".

   Threads    Every function may be called from any thread, except where it says otherwise; gns_start and gns_stop
              exclude each other. One native thread, the pump, serves GNS. Nothing here ever calls back into the caller.
   Results    0 or more is success. A negative number is an error: GNS_ERROR_* below, or the negated EResult of GNS
              (-3 NoConnection, -8 InvalidParam, -11 InvalidState, -25 LimitExceeded, -41 Ignored, ...).
              Every function but the layout, build, time, log and *_text ones may answer GNS_ERROR_NOT_RUNNING, and
              GNS_ERROR_FORKED in a forked child; where a handle is taken, GNS_ERROR_BAD_HANDLE. These three are not
              repeated below.
   Handles    64-bit numbers, 0 is never one. A handle is dead at once after its close or destroy and is never reused.
   Ownership  Buffers and texts that go in are copied before the call returns. Buffers that come out belong to the
              caller; "const char *" results are static. Texts go in with their size in bytes and need no terminator;
              texts in structs are UTF-8, terminated, cut at a whole character.
   Times      Microseconds of gns_time_us's clock (GNS's own: monotone, arbitrary base). Timeouts: negative is "no
   limit". Order      Sends, flushes, lane changes and the close of one connection take effect in the order of the
   calls.

   Lock order, outermost first; a thread holds only locks further down than those it has:
     1 runtime life cycle   2 native calls (shared by direct calls of GNS, exclusive while GNS comes up or goes down)
     3 GNS's own locks (its global one also guards admission)   4 connection end   5 mailbox   6 pump queue, pump
   parking, handle tables, log queue, grants of credit (leaves) GNS calls the log sink and frees messages with its own
   locks held: the sink takes only the log queue's lock, freeing none, except that a message freed off the pump thread
   may take 2, shared, to wake the pump; GNS holds no lock then. */

/* ---- numbers -------------------------------------------------------------------------------------------------- */

#define GNS_ERROR_NOT_RUNNING -1001 /* gns_start was not called, or gns_stop was */
#define GNS_ERROR_FORKED -1002      /* this process is a fork of the one that called gns_start */
#define GNS_ERROR_BAD_HANDLE -1003  /* never was one, or is closed */
#define GNS_ERROR_TOO_LARGE -1004   /* can never be sent: over 512 KiB, or over the connection's send_buffer_size */
#define GNS_ERROR_BUFFER_TOO_SMALL -1005 /* the needed size is told */
#define GNS_ERROR_NATIVE -1006           /* GNS refused; gns_last_error_text says why */
#define GNS_ERROR_RUNNING -1007          /* already started, with another identity */
#define GNS_ERROR_NO_MEMORY -1008
#define GNS_ERROR_UNKNOWN_OPTION -1009
#define GNS_ERROR_WRONG_SCOPE -1010 /* that option does not exist at that scope */
#define GNS_ERROR_WRONG_TYPE -1011
#define GNS_ERROR_LOCKED -1012       /* that option cannot be changed any more */
#define GNS_ERROR_RESERVED -1013     /* that option is the core's own: see recv_queue_bytes, recv_queue_messages */
#define GNS_ERROR_BAD_TEXT -1014     /* too long, or with a NUL byte */
#define GNS_ERROR_BAD_REASON -1015   /* outside 1000..2999 */
#define GNS_ERROR_BAD_IDENTITY -1016 /* no identity that GNS can parse */
#define GNS_ERROR_BAD_VALUE -1017    /* out of the range that the option has */
#define GNS_ERROR_HELD -1018         /* a framed message has no credit, or must wait for others */
#define GNS_ERROR_SYSTEM -1019       /* the system refused; gns_last_error_number says why */

#define GNS_SCOPE_GLOBAL 1
#define GNS_SCOPE_LISTEN_SOCKET 3
#define GNS_SCOPE_CONNECTION 4

#define GNS_TYPE_INT32 1
#define GNS_TYPE_INT64 2
#define GNS_TYPE_FLOAT 3
#define GNS_TYPE_STRING 4

/* Options of the core, beside GNS's own numbers. Scopes: all three; inherited at creation, connection from listen
   socket from global. All int32. */
#define GNS_CONFIG_RECV_QUEUE_BYTES 10001     /* bytes a connection may have waiting in its mailbox */
#define GNS_CONFIG_RECV_QUEUE_MESSAGES 10002  /* messages a connection may have waiting in its mailbox */
#define GNS_CONFIG_MAX_UNACKED_SEGMENTS 10003 /* reliable pieces queued or unacked, of 65,535 that GNS can hold */

#define GNS_EVENT_STATUS 1      /* payload: gns_connection_info; a new inbound connection is old_state 0, new_state 1 */
#define GNS_EVENT_MESSAGE 2     /* payload: the message */
#define GNS_EVENT_DRAINED 3     /* what gns_connection_notify_drained asked for has come */
#define GNS_EVENT_SEND_FAILED 4 /* GNS refused message `number` after gns_send had taken it; code: the result */
#define GNS_EVENT_PONG 5        /* what gns_connection_ping asked for has come; number: the round trip, microseconds */
#define GNS_EVENT_DATA 6        /* after gns_framing_begin: a DATA or UNTRACKED frame's payload; number: DATA's own */
#define GNS_EVENT_DUE_DATA 7    /* the same, of a message after which gns_framing_grant is due, once it is handled */

#define GNS_END_GOING_AWAY 1001                  /* the listen socket of this connection was closed */
#define GNS_END_INTERNAL_ERROR 2001              /* the program that owned this connection failed */
#define GNS_END_MESSAGE_QUEUE_LIMIT_REACHED 2003 /* the reader was too slow for its queue's bound */
#define GNS_END_RATE_LIMITED 2004                /* the listen socket's limits do not allow one more at present */
#define GNS_END_SHUTDOWN 2999                    /* gns_stop with the connection still open (GNS's own number) */

#define GNS_NO_LIMIT -1

#define GNS_SEND_NO_NAGLE 1
#define GNS_SEND_NO_DELAY 4
#define GNS_SEND_RELIABLE 8
#define GNS_SEND_FRAMED 65536  /* the payload of a DATA frame if it is reliable, of UNTRACKED if not */
#define GNS_SEND_WAITED 131072 /* framed, and one of those that gns_framing_hold is for */

/* Which framed messages are held back. */
#define GNS_HOLD_NONE 0
#define GNS_HOLD_DATA 1
#define GNS_HOLD_ALL 2

#define GNS_MAX_MESSAGE_SIZE 524288
#define GNS_MAX_END_TEXT 127
#define GNS_MAX_NAME 31
#define GNS_MAX_LANES 255

/* ---- structs -------------------------------------------------------------------------------------------------- */

typedef struct {
    uint8_t ip[16]; /* IPv6, network order; IPv4 as ::ffff:a.b.c.d; all zero: every interface, both families */
    uint16_t port;  /* host order */
    uint8_t reserved[6];
} gns_address;

typedef struct {
    int32_t value; /* GNS's ESteamNetworkingConfigValue, or GNS_CONFIG_* */
    int32_t type;  /* GNS_TYPE_*: which of the next three counts */
    int64_t integer;
    double real;
    const char *string; /* terminated */
} gns_option;

/* How many connections a listen socket lets in, of those that prove that they receive at their address; a refused one
   gets no connection, and is told GNS_END_RATE_LIMITED. Half open: its peer has not sent anything yet that only the
   holder of its keys can send. All of an IPv6 network of 64 bits count as one address, IPv4 as itself through an IPv6
   socket, too. GNS_NO_LIMIT: none. */
typedef struct {
    double rate_per_address;   /* connections a second, in the long run */
    int32_t burst_per_address; /* so many may come faster than that; at least 1 */
    int32_t max_half_open;     /* beyond it, one that is 3 s old gives way, so many in 3 s; as many may be closing */
    int32_t max_half_open_per_address;
    int32_t max_connections_per_address; /* half open or open */
} gns_limits;

/* What came of them, since the listen socket was opened. */
typedef struct {
    int64_t admitted;
    int64_t rate; /* this and the next three: refused, and why */
    int64_t half_open;
    int64_t half_open_per_address;
    int64_t connections_per_address;
    int64_t gave_way; /* admitted, and ended for a newer one while half open */
} gns_limit_counters;

typedef struct {
    uint64_t connection;
    int64_t number;    /* message number on its lane, from 1 */
    int64_t time_us;   /* when it arrived */
    uint64_t offset;   /* of this event's payload in the batch's payload buffer */
    uint32_t size;     /* of the payload, in bytes */
    int32_t kind;      /* GNS_EVENT_* */
    int32_t old_state; /* status */
    int32_t new_state; /* status */
    int32_t code;      /* status: end reason or 0; send failed: the result */
    uint16_t lane;
    uint16_t flags; /* message: GNS_SEND_RELIABLE or 0; data: GNS_SEND_RELIABLE for DATA */
} gns_event;

typedef struct {
    int32_t events;   /* how many were written */
    int32_t more;     /* 1: more are waiting */
    uint64_t payload; /* bytes written, or, with GNS_ERROR_BUFFER_TOO_SMALL, bytes needed for the next event */
    int32_t logs;     /* 1: log records are waiting */
    int32_t reserved;
} gns_batch;

typedef struct {
    uint64_t listen_socket; /* 0: this side called connect, or made the pair */
    int64_t user_data;      /* -1 until set */
    int32_t state;
    int32_t end_reason; /* 0 while it lives */
    int32_t flags;      /* k_nSteamNetworkConnectionInfoFlags_* */
    int32_t reserved;
    gns_address remote_address;
    char identity[128]; /* of the peer, as it claims */
    char end_text[128];
    char description[128];
} gns_connection_info;

typedef struct {
    int32_t state;
    int32_t ping_ms;     /* -1: unknown */
    float quality_local; /* 0..1, -1: unknown */
    float quality_remote;
    float out_packets_per_second;
    float out_bytes_per_second;
    float in_packets_per_second;
    float in_bytes_per_second;
    int32_t send_rate;             /* bytes/s that the connection may send at present */
    int32_t pending_unreliable;    /* bytes */
    int32_t pending_reliable;      /* bytes, not sent yet */
    int32_t sent_unacked_reliable; /* bytes, sent, not acked yet */
    int64_t queue_time_us;         /* how long a message sent now would wait; INT64_MAX while not connected */
    int32_t max_jitter_us;         /* since the last call; -1: unknown */
    int32_t reserved;
} gns_connection_status;

typedef struct {
    int32_t pending_unreliable;
    int32_t pending_reliable;
    int32_t sent_unacked_reliable;
    int32_t reserved;
    int64_t queue_time_us;
} gns_lane_status;

typedef struct {
    int64_t time_us;
    gns_connection_status status;
} gns_sample;

typedef struct {
    int64_t bytes; /* queued or unacked, some bytes of framing per message included */
    int64_t messages;
    int64_t segments;     /* an upper estimate of what GNS needs for them */
    int64_t max_bytes;    /* send_buffer_size */
    int64_t max_segments; /* max_unacked_segments */
} gns_send_queue;

typedef struct {
    int64_t time_us;
    int32_t level; /* 1 bug, 2 error, 3 important, 4 warning, 5 message, 6 verbose, 7 debug, 8 everything */
    int32_t size;
    char text[2048];
} gns_log_record;

typedef struct {
    const char *struct_name;
    const char *field; /* "": the struct itself, size and alignment */
    uint32_t size;
    uint32_t offset; /* alignment where field is "" */
} gns_layout_entry;

typedef struct {
    const char *version; /* gns_py's */
    const char *gns_version;
    const char *protobuf_version;
    const char *crypto; /* name and version of the crypto library */
    const char *mode;   /* vendored or system */
    const char *build_type;
    const char *compiler;
    const char *platform; /* system and processor it was built for */
} gns_build_info;

/* ---- about the library ------------------------------------------------------------------------------------------ */

/* All structs and fields above, for the reader to compare with its own idea of them. */
const gns_layout_entry *gns_layout(int32_t *count);
const gns_build_info *gns_build(void);
/* GNS's clock. Needs no gns_start. */
int64_t gns_time_us(void);
/* Why the last failed call of this thread failed: GNS's words where there are some, else the core's; "" before. */
const char *gns_last_error_text(void);
/* The system's number (errno; on Windows its own) of that failure, 0 if it was not the system that refused. */
int32_t gns_last_error_number(void);
/* One sentence for an error code, "" for one that is unknown. */
const char *gns_error_text(int32_t code);

/* ---- life cycle ------------------------------------------------------------------------------------------------- */

/* Starts GNS under an identity (text as in gns_identity_parse; size 0: none) and the pump. 0: started, 1: was running
   already under the same identity. Errors: RUNNING, BAD_IDENTITY, NATIVE, SYSTEM (descriptors, threads): then nothing
   runs. Blocks for some milliseconds. The pump takes no signals. */
int32_t gns_start(const char *identity, int32_t size);
/* Ends everything: waits up to linger_us for what closed connections still have to deliver, ends each open connection
   with GNS_END_SHUTDOWN (its mailbox and its peer are told), stops the pump, ends GNS. Waiting calls return. Mailboxes
   stay readable until destroyed. 0, also when nothing runs. */
int32_t gns_stop(int64_t linger_us);
/* How many closed connections are still delivering: for who waits for them before gns_stop, in slices. */
int32_t gns_lingering(void);
/* 1 or 0; GNS_ERROR_FORKED in a forked child. */
int32_t gns_running(void);
/* Writes the canonical text of an identity ("str:alice", "steamid:...", "ip:...", "gen:0a0b", ...) into out[128]; needs
   no gns_start. Errors: BAD_IDENTITY, BAD_TEXT. */
int32_t gns_identity_parse(const char *text, int32_t size, char *out);
/* This process's identity into out[128]. */
int32_t gns_identity(char *out);

/* ---- mailboxes: where events wait -------------------------------------------------------------------------------- */

/* A new one. Errors: NO_MEMORY. */
int32_t gns_mailbox_create(uint64_t *mailbox);
/* From now on messages that gns_mailbox_receive hands out go on counting against their connections' bounds until
   gns_connection_handled: for a reader that sorts what arrives into queues of its own. */
int32_t gns_mailbox_hold(uint64_t mailbox);
/* So much of what a mailbox that holds has handed out has left the reader's queues. */
int32_t gns_connection_handled(uint64_t connection, int64_t messages, int64_t bytes);
/* Frees it and what waits in it. Its connections go on, their events are dropped. Waiting receives return BAD_HANDLE.
 */
int32_t gns_mailbox_destroy(uint64_t mailbox);
/* A descriptor (a SOCKET on Windows) that is readable while events wait, for event loops; made at the first call, owned
   by the mailbox: never read, written or closed by the caller. Errors: SYSTEM. */
int64_t gns_mailbox_fd(uint64_t mailbox);
/* For event loops that cannot watch a descriptor, instead of it: from now on the mailbox sends a byte to this socket
   when events begin to wait, and the next one not before a receive has left nothing waiting. The caller's, to be closed
   after the mailbox is destroyed, or after gns_mailbox_fd, which takes its place. */
int32_t gns_mailbox_notify(uint64_t mailbox, int64_t socket);
/* Makes one waiting, or the next, receive return at once, with no events if there are none. */
int32_t gns_mailbox_wake(uint64_t mailbox);
/* Waits up to timeout_us (0: not at all) for events, then moves up to max_events of them out, oldest first, as many as
   fit: records into events, payloads one after another into payload, each at a multiple of 8. Returns the number of
   events, 0 at the timeout. Errors: BUFFER_TOO_SMALL (nothing is moved, batch->payload is the size that the first one
   needs); NOT_RUNNING only once nothing waits any more. Several threads may receive from one mailbox; each event
   reaches one of them. */
int32_t gns_mailbox_receive(uint64_t mailbox, int64_t timeout_us, gns_event *events, int32_t max_events, void *payload,
                            uint64_t capacity, gns_batch *batch);

/* ---- sockets and connections --------------------------------------------------------------------------------------
 */

/* Opens a UDP port. Connections that come in are reported to the mailbox (status, 0 -> 1) and wait for gns_accept or
   gns_close. limits: NULL, none. Port 0 is refused (InvalidParam). Errors: SYSTEM (port taken, ...), NATIVE, BAD_VALUE
   (limits), option errors. */
int32_t gns_listen(uint64_t mailbox, const gns_address *address, const gns_option *options, int32_t option_count,
                   const gns_limits *limits, uint64_t *listen_socket);
int32_t gns_listen_address(uint64_t listen_socket, gns_address *address);
/* All zero without limits. Never blocks. */
int32_t gns_listen_counters(uint64_t listen_socket, gns_limit_counters *counters);
/* Closes it: no new connection gets in, each of its connections is closed with reason, text and linger as by gns_close,
   and the port is given back: at once if nothing lingers, else when that is delivered, at the latest after the
   connections' timeout. Errors: BAD_REASON, BAD_TEXT. */
int32_t gns_listen_close(uint64_t listen_socket, int32_t reason, const char *text, int32_t size, int32_t linger);
/* Begins to connect; its events go to the mailbox, beginning with status 0 -> 1. Of closed connections, those that
   still wait for their peer's answer give way if a place or a descriptor is missing. Errors: LimitExceeded (8,191
   connections per process, inbound ones closed in the last 5 s included), SYSTEM (no descriptor, no such address
   family), NATIVE, option errors. */
int32_t gns_connect(uint64_t mailbox, const gns_address *address, const gns_option *options, int32_t option_count,
                    uint64_t *connection);
/* Accepts an inbound connection; from now on its events go to `mailbox` (0: where they went). Errors: InvalidState (it
   was accepted before), NoConnection (it has ended), InvalidParam (it is not an inbound one), HandshakeFailed. */
int32_t gns_accept(uint64_t connection, uint64_t mailbox);
/* From now on a connection's events go to another mailbox, with those that wait, in their order. */
int32_t gns_connection_move(uint64_t connection, uint64_t mailbox);
/* Closes, or refuses an inbound one. The handle is dead at once, unread messages are gone, and the mailbox gets the
   terminal status event (new_state 0) unless the connection had ended before. linger != 0: what was sent is
   still delivered, in the background, bounded by the connection's timeout. Errors: BAD_REASON, BAD_TEXT. */
int32_t gns_close(uint64_t connection, int32_t reason, const char *text, int32_t size, int32_t linger);
/* Two connected ends in this process: network 0, in memory; 1, over UDP on loopback. identity_a is what the other end
   sees of a. Sizes 0: none. No event is reported. Errors: BAD_IDENTITY, LimitExceeded, SYSTEM, NATIVE. */
int32_t gns_socket_pair(uint64_t mailbox_a, uint64_t mailbox_b, int32_t network, const char *identity_a, int32_t size_a,
                        const char *identity_b, int32_t size_b, uint64_t *connection_a, uint64_t *connection_b);

/* ---- sending --------------------------------------------------------------------------------------------------------
 */

/* Queues a message and returns its number on its lane. Never blocks on the network. What GNS refuses later is an event
   (SEND_FAILED). Errors: LimitExceeded (the send queue is full: nothing was queued), TOO_LARGE, NoConnection (it has
   ended), Ignored (GNS_SEND_NO_DELAY while not connected), InvalidParam (flags, lane). */
int64_t gns_send(uint64_t connection, const void *data, uint32_t size, int32_t flags, uint16_t lane);
/* Queues `count` messages that lie one after another in data, in one go. Returns how many were taken, from the first
   on; fewer than count: *error says why the next one was not, as in gns_send. first_number: of the first. */
int32_t gns_send_many(uint64_t connection, const void *data, const uint32_t *sizes, int32_t count, int32_t flags,
                      uint16_t lane, int64_t *first_number, int32_t *error);
/* One message to `count` connections; the bytes are copied once. results[i]: the number, or the error as in gns_send,
   BAD_HANDLE included. Returns how many took it. */
int32_t gns_broadcast(const uint64_t *connections, int32_t count, const void *data, uint32_t size, int32_t flags,
                      uint16_t lane, int64_t *results);
/* Sends now what waits for Nagle's timer. */
int32_t gns_flush(uint64_t connection);
/* Outgoing lanes: priorities (lower goes first), weights (1..65535, shares within one priority; NULL: equal). 1..255
   lanes, never fewer than before. Errors: InvalidParam, InvalidState, NoConnection. */
int32_t gns_configure_lanes(uint64_t connection, int32_t count, const int32_t *priorities, const uint16_t *weights);
/* What is on its way out. Never blocks. Also right after the connection has ended. */
int32_t gns_connection_send_queue(uint64_t connection, gns_send_queue *queue);
/* Asks for one GNS_EVENT_DRAINED as soon as at most max_bytes and max_segments are queued or unacked; none comes once
   the connection has ended. A new call replaces the one before. */
int32_t gns_connection_notify_drained(uint64_t connection, int64_t max_bytes, int64_t max_segments);
/* The same for a thread that waits: 1, or 0 at the timeout. Errors: NoConnection (it has ended, or ends meanwhile). Any
   number of threads. */
int32_t gns_connection_wait_drained(uint64_t connection, int64_t timeout_us, int64_t max_bytes, int64_t max_segments);

/* ---- sessions: messages in frames
   -------------------------------------------------------------------------------------

   DATA and UNTRACKED of docs/session-protocol.md, on a connection that speaks it; all other frames are messages as any.
 */

/* From now on what arrives as such a frame, within the limits, comes as GNS_EVENT_DATA; what is none, or must not come
   now, as GNS_EVENT_MESSAGE, unchanged. Unreliable ones are dropped while 4,096 wait in the mailbox. Once. Credit, here
   and below: bytes and messages in the life of the session. DATA does not count for a mailbox that holds. Errors:
   InvalidState. */
int32_t gns_framing_begin(uint64_t connection, uint32_t max_message, int64_t credit_bytes, int64_t credit_messages);
/* All up to the handled-th GNS_EVENT_DUE_DATA has been handled; they come each time that a quarter of the first credit
   has. Tells how much may come now. The same number again changes nothing. */
int32_t gns_framing_grant(uint64_t connection, int64_t handled, int64_t *credit_bytes, int64_t *credit_messages);
/* When the last message came, of whatever kind. */
int64_t gns_framing_heard(uint64_t connection);
/* How much DATA may be sent, and how long a payload may be. Before the first call all framed messages are HELD.
   gns_send returns DATA's own number; errors besides: HELD, TOO_LARGE. */
int32_t gns_framing_allow(uint64_t connection, uint32_t max_message, int64_t credit_bytes, int64_t credit_messages);
/* From now on such framed messages (GNS_HOLD_*) are HELD, but for those with GNS_SEND_WAITED. Errors: BAD_VALUE. */
int32_t gns_framing_hold(uint64_t connection, int32_t held);
/* The number of the last DATA that was sent on each lane, 0: none. */
int32_t gns_framing_sent(uint64_t connection, int64_t *numbers, int32_t lanes);

/* ---- about a connection
 * ---------------------------------------------------------------------------------------------- */

/* The state now. After the end, until gns_close, the last state. Never blocks. */
int32_t gns_connection_state(uint64_t connection);
/* Waits until it has ended, by whomever: 1, or 0 at the timeout. Its events are not touched. Any number of threads. */
int32_t gns_connection_wait_ended(uint64_t connection, int64_t timeout_us);
int32_t gns_connection_info_get(uint64_t connection, gns_connection_info *info);
/* lanes may be NULL (lane_count 0). Errors: InvalidParam (more lanes than it has). After the end: the last status. */
int32_t gns_connection_status_get(uint64_t connection, gns_connection_status *status, int32_t lane_count,
                                  gns_lane_status *lanes);
/* Notes the status every interval_us (at least 1,000) and keeps the last `capacity` (0: none, and stops; at most
   1,000,000). Each note starts max_jitter_us anew. Errors: BAD_VALUE, NO_MEMORY. */
int32_t gns_connection_history_start(uint64_t connection, int64_t interval_us, int32_t capacity);
/* The last `capacity` notes, oldest first; returns how many. They stay when the connection ends, until gns_close. */
int32_t gns_connection_history(uint64_t connection, gns_sample *samples, int32_t capacity);
/* Has the peer's GNS answer at once, once the connection is connected: one GNS_EVENT_PONG tells the round trip, and
   answers all who asked while it was under way. A packet that is lost is sent again, and measured anew. None comes once
   the connection has ended. Errors: NoConnection. */
int32_t gns_connection_ping(uint64_t connection);
/* The same for a thread that waits: 1 and the round trip, or 0 at the timeout. Errors: NoConnection (it has ended, or
   ends meanwhile). */
int32_t gns_connection_wait_pong(uint64_t connection, int64_t timeout_us, int64_t *round_trip_us);
/* GNS's own report for people, terminated. Returns its length. Errors: BUFFER_TOO_SMALL, NoConnection (it has ended).
 */
int32_t gns_connection_details(uint64_t connection, char *text, int32_t capacity);
/* At most 31 bytes; shown in GNS's log lines. Errors: BAD_TEXT. */
int32_t gns_connection_set_name(uint64_t connection, const char *name, int32_t size);
int32_t gns_connection_get_name(uint64_t connection, char *name, int32_t capacity);
int32_t gns_connection_set_user_data(uint64_t connection, int64_t user_data);

/* ---- configuration
 * ------------------------------------------------------------------------------------------------------ */

/* Sets one option. object: 0 at the global scope, else the handle. Errors: UNKNOWN_OPTION, WRONG_SCOPE, WRONG_TYPE,
   LOCKED, RESERVED, BAD_VALUE (the core's own options; GNS clamps its own: check ranges before), NoConnection. */
int32_t gns_config_set(int32_t scope, uint64_t object, const gns_option *option);
/* Back to what the outer scope says (global: to the default). Errors as for gns_config_set. */
int32_t gns_config_reset(int32_t scope, uint64_t object, int32_t value);
/* Reads one option: result->type and the member that belongs to it; a string goes to text. Returns 1 if the value is
   inherited, else 0. Errors: as above, BUFFER_TOO_SMALL. */
int32_t gns_config_get(int32_t scope, uint64_t object, int32_t value, gns_option *result, char *text, int32_t capacity);
/* GNS's name, type and outermost... innermost scope of an option; NULL: this build does not have it. Needs gns_start.
 */
const char *gns_config_info(int32_t value, int32_t *type, int32_t *scope);

/* ---- log
 * ---------------------------------------------------------------------------------------------------------------- */

/* Which lines of GNS are kept: this level and the graver ones (0: none), and what the LogLevel_... options ask for. Of
   those up to level 4 that are alike, ten within 3 s, and one that counts the rest. Any time, also before gns_start. */
int32_t gns_log_set_level(int32_t level);
/* Moves up to `count` log records out, oldest first; returns how many. dropped: lines lost since the last call because
   nobody fetched them (1,024 are kept). Works before gns_start and after gns_stop. */
int32_t gns_log_receive(gns_log_record *records, int32_t count, int64_t *dropped);
