"""When to renew a certificate, and when to say that it has not been renewed: without a clock, a thread or a loop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple, TypeAlias

from .certificate import Certificate
from .errors import CertificateError, Check

_DUE, _SPREAD, _WARN = 2 / 3, 1 / 20, 1 / 6
_UNKNOWN_LIFETIME = 3600.0
_LEAST, _FIRST_PAUSE, _LAST_PAUSE, _BETWEEN = 0.05, 5.0, 300.0, 60.0
# Never longer without a look at the clock, which may be set, or go on while the machine sleeps.
_LOOK = 60.0


class CertificateRenewed(NamedTuple):
    """The certificate was renewed, and is in use."""

    certificate: Certificate
    """The new certificate."""


class RenewalFailed(NamedTuple):
    """An attempt to renew the certificate has failed. Others follow."""

    error: Exception
    """The exception of fetching it, or of applying it."""
    attempt: int
    """The number of attempts that have failed since the last success."""
    pause: float
    """The seconds until the next attempt."""


class CertificateExpiring(NamedTuple):
    """Only a sixth of the certificate's lifetime is left, and it could not be renewed yet."""

    certificate: Certificate
    """The certificate in use."""
    left: timedelta
    """The time until it expires."""


class CertificateExpired(NamedTuple):
    """The certificate has expired: new connections that demand one will be refused."""

    certificate: Certificate
    """The certificate in use."""


RenewalEvent: TypeAlias = CertificateRenewed | RenewalFailed | CertificateExpiring | CertificateExpired


class Schedule:
    """The times of renewals. All times are seconds since 1970.

    Args:
        certificate: The certificate in use, or None: then the first one is due at once.
        now: The time.
        random: A function that returns a number from 0 to 1: clients that began together must not renew together.
    """

    def __init__(self, certificate: Certificate | None, now: float, random: Callable[[], float]) -> None:
        self._random = random
        self._attempts = 0
        self._certificate = certificate
        self._warned = self._ended = certificate is None
        self._due = now if certificate is None else self._due_at(certificate)

    @property
    def certificate(self) -> Certificate | None:
        """The certificate in use."""
        return self._certificate

    def is_due(self, now: float) -> bool:
        """Return whether it is time to fetch the next certificate."""
        return now >= self._due

    def wait(self, now: float, *, fetching: bool) -> float:
        """Return the seconds until there is something to do."""
        times = [now + _LOOK]
        if not fetching:
            times.append(self._due)
        if self._certificate is not None:
            expires = self._certificate.expires.timestamp()
            if not self._warned:
                times.append(expires - _lifetime(self._certificate) * _WARN)
            if not self._ended:
                times.append(expires + _LEAST)
        return max(0.0, min(times) - now)

    def warnings(self, now: float) -> list[RenewalEvent]:
        """Return the warnings that are due now, each once for a certificate."""
        certificate = self._certificate
        if certificate is None or self._ended:
            return []
        left = certificate.expires.timestamp() - now
        if left < 0:
            self._warned = self._ended = True
            return [CertificateExpired(certificate)]
        if not self._warned and left <= _lifetime(certificate) * _WARN:
            self._warned = True
            return [CertificateExpiring(certificate, timedelta(seconds=left))]
        return []

    def check(self, certificate: Certificate, now: float) -> None:
        """Check that a certificate that was fetched is of use. Raises CertificateError."""
        if certificate.expires.timestamp() < now:
            raise CertificateError(Check.EXPIRED, f"the new certificate expired at {certificate.expires}")
        if self._certificate is not None and certificate.expires <= self._certificate.expires:
            raise CertificateError(Check.EXPIRED, "the new certificate does not expire later than the one in use")

    def renewed(self, certificate: Certificate, now: float) -> RenewalEvent:
        """Go on with a new certificate."""
        self._certificate = certificate
        self._attempts = 0
        self._warned = self._ended = False
        # A clock that is ahead must not make it fetch all the time.
        self._due = max(self._due_at(certificate), now + min(_lifetime(certificate) / 10, _BETWEEN))
        return CertificateRenewed(certificate)

    def failed(self, error: Exception, now: float) -> RenewalEvent:
        """Go on after an attempt that has failed: with a pause that grows up to a bound."""
        lifetime = _UNKNOWN_LIFETIME if self._certificate is None else _lifetime(self._certificate)
        first, last = min(lifetime / 300, _FIRST_PAUSE), min(lifetime / 30, _LAST_PAUSE)
        pause = min(first * 2 ** min(self._attempts, 32), last)
        pause = max(pause * (1 + self._random()) / 2, _LEAST)
        self._attempts += 1
        self._due = now + pause
        return RenewalFailed(error, self._attempts, pause)

    def _due_at(self, certificate: Certificate) -> float:
        return certificate.created.timestamp() + _lifetime(certificate) * (_DUE + _SPREAD * self._random())


def _lifetime(certificate: Certificate) -> float:
    return max(1.0, (certificate.expires - certificate.created).total_seconds())
