"""The process-wide life cycle of GNS and its process-wide options.

GNS runs once in a process, under one identity. It starts at its first use, and stops when the interpreter exits or
with stop(). A native thread, the pump, keeps the network served however long Python is busy; no Python code runs on it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .. import _native
from .._generated.enums import ConfigScope, ConfigValue
from ..config import Config, OptionValue
from ..identity import Identity
from .authentication import check_authentication
from .log import dispatch_logs
from .process_exit import at_process_exit

if TYPE_CHECKING:
    from ..certs import Certificate, Credentials

_log = logging.getLogger("gns_py")
_EXIT_LINGER = 5.0
_LONGEST_LINGER = 1e9
_LINGER_SLICE = 0.005


def start(
    identity: Identity | str | None = None,
    *,
    certificate: Credentials | Certificate | bytes | None = None,
    trust: Iterable[Certificate | bytes] | None = None,
    require_authentication: bool | None = None,
) -> None:
    """Start GNS under an identity.

    Without arguments this is not needed: the first use starts GNS. If it runs already, it keeps its identity, and the
    keyword arguments that are not None take effect for handshakes from now on: all of them, or none if one is refused.
    Connections stay as they are. stop() forgets them. Takes some milliseconds. Any thread.

    Args:
        identity: The identity that peers see; a str is parsed as GNS's text form ("str:alice"). By default the
            certificate's, or the one under which GNS runs already. Without a certificate, peers cannot verify it.
        certificate: The proof of the identity: Credentials, or a certificate alone, of the key that is in
            request_certificate(). It must be one that ``trust`` vouches for. If GNS runs, see renew().
        trust: The roots and intermediates whose certificates prove the identities of peers; see set_trust().
        require_authentication: True to refuse, in the handshake, all peers whose identity is not proved, on loopback
            as well; listen() and serve() can say otherwise for their clients. Peers in this process (socket_pair())
            need no proof.

    Raises:
        ValueError: The text is not an identity.
        TypeError: An argument has the wrong type.
        CertificateRefused: The certificate cannot be presented, or one of ``trust`` not trusted; the message says why.
        InvalidStateError: GNS already runs under another identity, or without one: stop() it first. Where it runs
            without one, a certificate can still give it one: leave ``identity`` away.
        InitializationError: GNS or the system refused.
        ForkedError: This process is a fork of one in which GNS ran.

    Note:
        Native functions: ``GameNetworkingSockets_Init``, ``SetCertificate``.
    """
    if identity is None:
        text = ""
    elif isinstance(identity, Identity | str):
        text = str(identity if isinstance(identity, Identity) else Identity.parse(identity))
    else:
        raise TypeError(f"identity must be an Identity or a str, not {type(identity).__name__}")
    authentication = check_authentication(certificate, trust, require_authentication)
    is_new = _native.start(text)
    if is_new:
        at_process_exit(_at_exit)
    try:
        authentication.apply()
    except BaseException:
        if is_new:
            _native.stop(0)
        raise


def stop(linger: float = _EXIT_LINGER) -> None:
    """Stop GNS: open connections end with SHUTDOWN (2999), and their peers learn it at once.

    Calls that wait elsewhere end with an exception. GNS can be started again. Does nothing if GNS does not run. Ctrl-C
    ends the wait, and then nothing is stopped. Any thread.

    Args:
        linger: Seconds to wait at most for data that closed connections still have to deliver.

    Raises:
        TypeError: ``linger`` is not a number.
        ValueError: ``linger`` is negative or NaN.
        ForkedError: This process is a fork of one in which GNS ran.

    Note:
        Native function: ``GameNetworkingSockets_Kill``.
    """
    if not isinstance(linger, int | float) or isinstance(linger, bool):
        raise TypeError(f"linger must be seconds, not {type(linger).__name__}")
    if not linger >= 0:  # also rejects NaN
        raise ValueError(f"linger is {linger}: it must not be negative")
    end = time.monotonic() + min(linger, _LONGEST_LINGER)
    while time.monotonic() < end and _native.is_lingering():
        time.sleep(_LINGER_SLICE)  # here, where Ctrl-C is noticed, and not in the native call
    _native.stop(int(max(0.0, end - time.monotonic()) * 1e6))
    dispatch_logs()


def is_running() -> bool:
    """Return whether GNS runs in this process.

    Raises:
        ForkedError: This process is a fork of one in which GNS ran.
    """
    return _native.is_running()


def is_forked() -> bool:
    """Return whether this process is a fork of one in which GNS ran: all that is open there is the parent's."""
    return _native.is_forked()


def ensure_started() -> None:
    """Start GNS unless it runs."""
    if not _native.is_running():
        start()


def local_identity() -> Identity:
    """Return the identity under which peers see this process.

    Note:
        Native function: ``GetIdentity``.
    """
    ensure_started()
    return Identity.parse(_native.identity())


def time_us() -> int:
    """Return the time of GNS's clock: microseconds, monotonic, from an arbitrary start.

    All ``..._us`` times are of this clock.

    Note:
        Native function: ``GetLocalTimestamp``.
    """
    return _native.time_us()


def set_config(config: Config) -> None:
    """Set options for the whole process: the defaults of all connections, and the process-wide options.

    ``fake_packet_loss_send`` and its like are process-wide. The options stay set across stop() and start(). Any thread.

    Raises:
        ConfigError: An option cannot be set process-wide, or the core reserves it.
        ValueError: A value is out of range.

    Note:
        Native function: ``SetConfigValue``, at the global scope.
    """
    ensure_started()
    _native.set_options(ConfigScope.GLOBAL, 0, config)


def get_config(option: ConfigValue) -> OptionValue:
    """Return the process-wide value of an option.

    Raises:
        ConfigError: This build does not have the option.

    Note:
        Native function: ``GetConfigValue``.
    """
    ensure_started()
    return _native.get_option(ConfigScope.GLOBAL, 0, option)


def list_config() -> dict[ConfigValue, OptionValue]:
    """Return every option of this build with its process-wide value.

    Note:
        Native functions: ``GetConfigValueInfo``, ``GetConfigValue``.
    """
    ensure_started()
    return {option: get_config(option) for option in ConfigValue if _native.has_option(option)}


def reset_config(*options: ConfigValue) -> None:
    """Restore GNS's defaults.

    Args:
        options: The options to restore; without any, every option that can be set process-wide.

    Raises:
        ConfigError: An option cannot be set process-wide.

    Note:
        Native function: ``SetConfigValue``.
    """
    ensure_started()
    settable = Config.__dataclass_fields__
    for option in options or [each for each in list_config() if each.option_name in settable]:
        _native.reset_option(ConfigScope.GLOBAL, 0, option)


def _at_exit() -> None:
    try:
        try:
            stop()
        except KeyboardInterrupt:
            stop(linger=0)
    except Exception:  # the interpreter is going away, and with it everyone who could handle this
        _log.debug("stopping at exit failed", exc_info=True)
