/* A part of gns_core.h, whose rules hold here, too: the streams of sessions. */

/* ---- sessions: streams of messages in frames ----
   DATA and UNTRACKED of docs/session-protocol.md; all other frames are plain messages. A stream numbers them, on each
   of the connections that its session has in turn. Credit counts bytes and messages over the life of the session. */
/* From here on the connection's frames of these types that respect the limits arrive as GNS_EVENT_DATA; all others, and
   what must not arrive now, as GNS_EVENT_MESSAGE, unchanged. Unreliable ones are dropped while 4,096 wait there. DATA
   does not count for a mailbox after gns_mailbox_count_until_handled. Errors: InvalidState (there is a stream). */
int32_t gns_stream_open(uint64_t connection, uint32_t max_message, int64_t credit_bytes, int64_t credit_messages,
                        uint64_t *stream);
/* Forgets it. If a connection has it, that one's framed messages are HELD, and soon arrive as plain ones. */
int32_t gns_stream_close(uint64_t stream);
/* Says that every GNS_EVENT_ACK_DUE_DATA up to the handled-th, and all before it, has been handled; they arrive each
   time that a quarter of the first credit has, or 1 MiB, or 4,096 messages. Reports how much may arrive now. */
int32_t gns_stream_grant(uint64_t stream, int64_t handled, int64_t *credit_bytes, int64_t *credit_messages);
int64_t gns_stream_heard(uint64_t stream); /* when the last message arrived, of whatever kind */
/* Sets how much DATA may be sent, and how long a payload may be. Before the first call all framed messages are HELD.
   gns_send returns DATA's own number, and has two more errors: HELD, TOO_LARGE. */
int32_t gns_stream_allow(uint64_t stream, uint32_t max_message, int64_t credit_bytes, int64_t credit_messages);
/* Makes such framed messages (GNS_HOLD_*) HELD, except those with GNS_SEND_WAITED. Errors: BAD_VALUE. */
int32_t gns_stream_hold(uint64_t stream, int32_t held);
int32_t gns_stream_sent(uint64_t stream, int64_t *numbers, int32_t lanes);    /* the last DATA's of each lane; or 0 */
int32_t gns_stream_arrived(uint64_t stream, int64_t *numbers, int32_t lanes); /* the same */
/* Keeps DATA, to be sent again, until the peer has handled it. DATA is HELD while as many payload bytes or messages are
   kept; the last one may exceed max_bytes. Errors: InvalidState (DATA was sent before), BAD_VALUE (less than 1). */
int32_t gns_stream_keep(uint64_t stream, int64_t max_bytes, int64_t max_messages);
/* Says that the peer has handled DATA up to numbers[lane], which are no longer kept. Any numbers are fine. */
int32_t gns_stream_acked(uint64_t stream, const int64_t *numbers, int32_t lanes);
int32_t gns_stream_kept(uint64_t stream, int64_t *bytes, int64_t *messages);
/* Parts it from its connection, if it has one: framed messages are HELD, and arrive as plain ones. No DATA gets into a
   mailbox afterwards; what waits there must be read before gns_close, which drops it. */
int32_t gns_stream_detach(uint64_t stream);
/* Begins where another stream has stopped: each lane after these numbers; totals: payload bytes sent, payload bytes
   arrived, and what may arrive. Errors: InvalidState (DATA was sent, or has arrived), BAD_VALUE (negative). */
int32_t gns_stream_continue(uint64_t stream, const int64_t *sent, const int64_t *arrived, int32_t lanes,
                            const int64_t totals[4]);
/* Goes on with another connection. DATA of each lane must come again from handled[lane] + 1 on, or from 1; what had
   arrived before is dropped. All framed messages are HELD until there is nothing left to replay. Errors: InvalidState
   (the connection has a stream), BAD_VALUE (that much has not arrived). */
int32_t gns_stream_resume(uint64_t stream, uint64_t connection, const int64_t *handled, int32_t lanes);
/* Sends what is kept again, with the old numbers, in the old order, while there is room. left: what did not go yet.
   Errors: NoConnection (it has ended, or there is none), BAD_VALUE (it has too few lanes), TOO_LARGE. */
int32_t gns_stream_replay(uint64_t stream, int64_t *left);
