"""GameNetworkingSockets for Python: reliable and unreliable encrypted messages over UDP, for games and their servers.

This package contains what the APIs share: values, records, exceptions and the settings of the process. To connect and
to listen, import an API: ``gns_py.sync`` for threads and game loops, ``gns_py.asyncio`` for asyncio.
"""

from ._core.certificates import presented_certificate, renew, request_certificate, set_revoked, set_trust
from ._core.log import dispatch_logs, set_log_level
from ._core.request import ConnectionRequest
from ._core.runtime import (
    get_config,
    is_running,
    list_config,
    local_identity,
    reset_config,
    set_config,
    start,
    stop,
    time_us,
)
from ._generated.enums import (
    ConfigScope,
    ConfigType,
    ConfigValue,
    ConnectionState,
    EndReason,
    EndReasonRange,
    IdentityType,
    InfoFlags,
    LogLevel,
    Result,
    SendFlags,
)
from ._native.certificates import PresentedCertificate
from ._native.process import BuildInfo, build_info
from .address import Address
from .config import Config
from .end import ClosedBy, ConnectionEnd
from .errors import (
    CertificateRefused,
    ConcurrencyError,
    ConfigError,
    ConnectFailed,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    ConnectionLimitError,
    ConnectTimeout,
    ForkedError,
    GNSError,
    InitializationError,
    InvalidStateError,
    ListenError,
    MessageDropped,
    MessageTooLarge,
    NotRunningError,
    SendQueueFull,
    SocketError,
)
from .events import MessageReceived, RouteChanged, SendFailed, StatusChanged
from .identity import Identity
from .limits import ConnectionLimits, LimitCounters
from .message import Message, MessageView
from .route import Route
from .stats import ConnectionInfo, ConnectionStatus, LaneStatus, Sample, SendQueue

__version__ = build_info().version

__all__ = [
    "Address",
    "BuildInfo",
    "CertificateRefused",
    "ClosedBy",
    "ConcurrencyError",
    "Config",
    "ConfigError",
    "ConfigScope",
    "ConfigType",
    "ConfigValue",
    "ConnectFailed",
    "ConnectTimeout",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "ConnectionEnd",
    "ConnectionInfo",
    "ConnectionLimitError",
    "ConnectionLimits",
    "ConnectionRequest",
    "ConnectionState",
    "ConnectionStatus",
    "EndReason",
    "EndReasonRange",
    "ForkedError",
    "GNSError",
    "Identity",
    "IdentityType",
    "InfoFlags",
    "InitializationError",
    "InvalidStateError",
    "LaneStatus",
    "LimitCounters",
    "ListenError",
    "LogLevel",
    "Message",
    "MessageDropped",
    "MessageReceived",
    "MessageTooLarge",
    "MessageView",
    "NotRunningError",
    "PresentedCertificate",
    "Result",
    "Route",
    "RouteChanged",
    "Sample",
    "SendFailed",
    "SendFlags",
    "SendQueue",
    "SendQueueFull",
    "SocketError",
    "StatusChanged",
    "build_info",
    "dispatch_logs",
    "get_config",
    "is_running",
    "list_config",
    "local_identity",
    "presented_certificate",
    "renew",
    "request_certificate",
    "reset_config",
    "set_config",
    "set_log_level",
    "set_revoked",
    "set_trust",
    "start",
    "stop",
    "time_us",
]
