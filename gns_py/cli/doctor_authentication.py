"""The part of ``gns-py doctor`` about certificates: those that this process would present, and those it would trust."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TypeAlias

from .. import GNSError, build_info
from .._printable import printable
from ..certs import Certificate
from ..certs.verification import SKEW
from .authentication import Authentication
from .certs_files import describe, when
from .output import CommandError

Complain: TypeAlias = Callable[[str, str, str], None]
"""Takes a severity, a problem, and one sentence on what to do about it."""

_RENEW = 2 / 3
_DAY = timedelta(days=1)


def examine(authentication: Authentication, complain: Complain, now: datetime | None = None) -> dict[str, object]:
    """Start GNS with these certificates, and return what it made of them, for JSON.

    Args:
        authentication: The certificates.
        complain: Called with each problem.
        now: The time; None for the system's.
    """
    now = now or datetime.now(timezone.utc)
    _check_clock(now, complain)
    refused = None
    try:
        # The test of a connection that follows must not fail because this end has nothing to present to itself.
        authentication.start(require=False)
    except CommandError as error:
        refused = str(error)
        complain("error", refused, _remedy(authentication, now))
    except GNSError as error:  # GNS does not start: the test of a connection complains of it
        refused = str(error)
    for file, certificate in authentication.trust:
        _check_times(str(file), certificate, now, complain)
    presents = None
    if authentication.credentials is not None:
        certificate = authentication.credentials.certificate
        if refused is None:
            _check_lifetime(str(authentication.file), certificate, now, complain)
        presents = {"file": str(authentication.file), **describe(certificate)}
    expect = authentication.expect
    return {
        "clock": now.isoformat(timespec="seconds"),
        "usable": refused is None,
        "presents": presents,
        "trusts": [{"file": str(file), **describe(certificate)} for file, certificate in authentication.trust],
        "requires_authentication": authentication.require,
        "expects": None
        if expect is None
        else {
            "identity": None if expect.identity is None else str(expect.identity),
            "keys": [key.hex() for key in expect.keys],
        },
    }


def rows(authentication: Authentication, facts: dict[str, object]) -> list[list[str]]:
    """Return what examine() has found for people, as the rows of a table.

    Args:
        authentication: The certificates.
        facts: The result of examine().
    """
    presents = "nothing: peers cannot verify who this is"
    if authentication.credentials is not None:
        presents = _text(authentication.credentials.certificate) + ("" if facts["usable"] else "; refused")
    clock = datetime.fromisoformat(str(facts["clock"]))
    found = [["clock", f"{clock:%Y-%m-%d %H:%M:%S} UTC"], ["presents", presents]]
    found += [["trusts", _text(each.certificate)] for each in authentication.trust] or [["trusts", "no authority"]]
    demand = (
        "a certificate from an authority that is trusted" if authentication.require else "no proof of their identity"
    )
    found.append(["demands of peers", demand])
    if (expect := authentication.expect) is not None:
        wanted = [] if expect.identity is None else [printable(str(expect.identity))]
        found.append(["expects", ", ".join([*wanted, *(f"the key {key.hex()}" for key in expect.keys)])])
    return found


def _text(certificate: Certificate) -> str:
    kind = "authority" if certificate.identity is None else printable(str(certificate.identity))
    if certificate.is_root:
        kind = "root"
    return f"{kind}, key {certificate.key_id}, expires {when(certificate.expires)}"


def _check_clock(now: datetime, complain: Complain) -> None:
    """Compare the clock with the age of the library: one that was never set is years behind."""
    written = datetime.fromtimestamp(build_info().library.stat().st_mtime, timezone.utc)
    if now < written - _DAY:
        complain(
            "warning",
            f"the clock says {now:%Y-%m-%d}, but the native library is from {written:%Y-%m-%d}",
            "Set the clock, best by NTP: certificates are judged by it.",
        )


def _remedy(authentication: Authentication, now: datetime) -> str:
    """Return what to do about certificates that GNS has refused."""
    own = None if authentication.credentials is None else authentication.credentials.certificate
    if own is not None and own.created > now + SKEW:
        return "Check the clock of this machine, and of the one that has issued it."
    if own is not None and own.expires < now:
        return "Renew it; in a program, gns_py.certs.Renewal does so in time."
    return "Give --trust the certificates of all authorities between it and a root, the root included."


def _check_times(file: str, authority: Certificate, now: datetime, complain: Complain) -> None:
    if authority.expires < now:
        complain(
            "warning",
            f"{file}: the authority {authority.key_id} has expired, and so have all certificates from it",
            "Trust its successor.",
        )
    elif authority.created > now + SKEW:
        complain(
            "warning",
            f"{file}: the authority {authority.key_id} begins only {when(authority.created)}",
            "Check the clock of this machine, and of the one that has made it.",
        )


def _check_lifetime(file: str, certificate: Certificate, now: datetime, complain: Complain) -> None:
    if now > certificate.created + _RENEW * (certificate.expires - certificate.created):
        complain(
            "warning",
            f"{file}: more than two thirds of its lifetime have passed; it expires {when(certificate.expires)}",
            "Renew it; in a program, gns_py.certs.Renewal does so in time.",
        )
