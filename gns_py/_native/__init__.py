"""The native core (build_native/core/gns_core*.h) as Python functions; the only part of gns_py that uses cffi.

One module per section of the headers. Other packages use the names that are exported here. Functions take and return
Python's own types; handles are ints. Calls release the GIL and may be made from any thread.

Functions raise the public exceptions (exception_for()). A function about a connection raises
ConnectionGoneError if the connection has ended or is closed here, or if the runtime was stopped: only its caller knows
which end to report.
These functions do neither:

- send, send_many, broadcast, state and wait_* return the core's error codes, which are negative, because they are on
  the hot path;
- handled and most of stream_* ignore errors, because nothing about a connection's data matters once it has ended;
- close and listen_close ignore errors, because a dead handle needs no closing.
"""

from .certificates import (
    PeerPolicy,
    PresentedCertificate,
    certificate_request,
    presented_certificate,
    set_authentication,
    set_certificate,
    set_policy,
    set_revoked,
    set_trust,
)
from .codes import (
    END_TAKEN_OVER,
    EVENT_ACK_DUE_DATA,
    EVENT_DATA,
    EVENT_DRAINED,
    EVENT_MESSAGE,
    EVENT_PONG,
    EVENT_ROUTE,
    EVENT_SEND_FAILED,
    EVENT_SIGNAL,
    EVENT_STATUS,
    FORKED,
    GONE,
    HELD,
    HOLD_ALL,
    HOLD_DATA,
    HOLD_NONE,
    LIMIT_EXCEEDED,
    MAX_END_TEXT,
    MAX_LANES,
    MAX_MESSAGE_SIZE,
    MAX_NAME,
    MAX_SIGNAL,
    NOT_TAKEN,
    SEND_FRAMED,
    SEND_NO_DELAY,
    SEND_NO_NAGLE,
    SEND_RELIABLE,
    SEND_WAITED,
    TOO_LARGE,
)
from .failures import ConnectionGoneError, exception_for
from .log import receive_logs, set_log_level
from .mailbox import SIGNAL_SLICE_US, MailboxReader, Record, handled
from .options import get_option, has_option, reset_option, set_options
from .p2p import (
    SignallingCounters,
    connect_p2p,
    create_signalling,
    deliver_signal,
    destroy_signalling,
    listen_p2p,
    read_signal,
    signalling_counters,
)
from .process import build_info, identity, is_forked, is_lingering, is_running, start, stop, time_us
from .sending import (
    broadcast,
    configure_lanes,
    flush,
    notify_drained,
    readable,
    release,
    send,
    send_many,
    send_queue,
    wait_drained,
)
from .sockets import accept, close, connect, listen, listen_close, listen_counters, move, socket_pair
from .status import (
    details,
    get_name,
    get_status,
    history,
    info,
    new_int64,
    ping,
    read_info,
    set_name,
    set_user_data,
    start_history,
    state,
    wait_ended,
    wait_pong,
)
from .streams import (
    stream_acked,
    stream_allow,
    stream_arrived,
    stream_close,
    stream_continue,
    stream_detach,
    stream_grant,
    stream_heard,
    stream_hold,
    stream_keep,
    stream_kept,
    stream_open,
    stream_replay,
    stream_resume,
    stream_sent,
)
