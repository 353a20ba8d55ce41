"""Checking certificates as GNS does: from the authorities that are trusted down to the certificate."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from .._generated.enums import IdentityType
from .._printable import printable
from ..identity import Identity
from . import keys
from .certificate import Certificate
from .errors import CertificateError, Check

SKEW = timedelta(minutes=5)
"""How far a certificate's beginning may lie in the future: clocks differ."""
_MAX_AHEAD = timedelta(seconds=2**31)
_FORM = "%Y-%m-%d %H:%M:%S UTC"


class Verified(NamedTuple):
    """The result of a verification that has succeeded."""

    certificate: Certificate
    """The certificate."""
    identity: Identity
    """The identity that it proves, together with its key."""
    chain: tuple[Certificate, ...]
    """The authorities above it, from its issuer up to the root."""


def verify(
    certificate: Certificate | bytes | str,
    *,
    trust: Iterable[Certificate],
    revoked: Collection[int] = (),
    identity: Identity | str | None = None,
    app_id: int = 0,
    now: datetime | None = None,
) -> Verified:
    """Check a certificate of an identity, and return what it proves. GNS makes the same checks in the handshake.

    A certificate is public. Only the handshake of a connection shows that the peer has its private key.

    Args:
        certificate: The certificate, its bytes, or its text.
        trust: The certificates of all authorities that are trusted: roots, and those between them and the certificate.
        revoked: The numbers (``key_id``) of keys that were revoked.
        identity: The identity that it must have been issued to; None for any.
        app_id: The application that it must be valid for: 0 outside of Steam.
        now: The time, with a time zone; None for the system's.

    Returns:
        The certificate, its identity, and the authorities above it.

    Raises:
        CertificateError: A check has failed; ``check`` says which one.
        ValueError: *now* has no time zone, or *identity* is not an identity.
        ImportError: The library cryptography is not installed.
    """
    if not isinstance(certificate, Certificate):
        certificate = Certificate.parse(certificate)
    expected = Identity.parse(identity) if isinstance(identity, str) else identity
    store = _Store(trust, revoked, _moment(now))
    scope = store.check(certificate)
    found = certificate.identity
    if found is None:
        raise CertificateError(Check.IDENTITY, "it was issued to an authority, not to an identity")
    name = printable(str(found))
    if found.type is IdentityType.IP_ADDRESS:
        raise CertificateError(Check.IDENTITY, f"it was issued to {name}, and GNS authenticates no addresses")
    if expected is not None and found != expected:
        raise CertificateError(Check.IDENTITY, f"it was issued to {name}, not to {printable(str(expected))}")
    _check_app_id(certificate, scope, app_id)
    return Verified(certificate, found, scope.chain)


def verify_authority(
    certificate: Certificate,
    *,
    trust: Iterable[Certificate],
    revoked: Collection[int] = (),
    now: datetime | None = None,
) -> tuple[Certificate, ...]:
    """Check the certificate of an authority, and return the authorities above it; for a root, which is trusted, none.

    Args:
        certificate: The certificate.
        trust: The certificates of all authorities that are trusted.
        revoked: The numbers (``key_id``) of keys that were revoked.
        now: The time, with a time zone; None for the system's.

    Raises:
        CertificateError: A check has failed; ``check`` says which one.
        ValueError: *now* has no time zone.
        ImportError: The library cryptography is not installed.
    """
    if not certificate.is_authority:
        raise CertificateError(
            Check.IDENTITY, f"it was issued to {printable(str(certificate.identity))}, not to an authority"
        )
    scope = _Store(trust, revoked, _moment(now)).check(certificate)
    return scope.chain[1:] if certificate.is_root else scope.chain


@dataclass(frozen=True)
class _Scope:
    """The uses of an authority's certificates, with the restrictions of all authorities above it."""

    chain: tuple[Certificate, ...]
    app_ids: frozenset[int] | None
    """None for all."""


class _Store:
    """The authorities that are trusted, by the numbers of their keys, evaluated as GNS does."""

    def __init__(self, trust: Iterable[Certificate], revoked: Collection[int], now: datetime) -> None:
        self._revoked = frozenset(revoked)
        self._now = now
        self._certificates: dict[int, list[Certificate]] = {}
        for each in trust:
            if each.is_authority:  # GNS keeps no others either
                self._certificates.setdefault(each.key_id, []).append(each)
        self._scopes: dict[int, _Scope | CertificateError] = {}
        self._visiting: set[int] = set()

    def check(self, certificate: Certificate) -> _Scope:
        """Make all checks that do not concern the identity, and return the scope of the issuer."""
        issuer = certificate.issuer_key_id
        if issuer not in self._certificates:
            text = f"it was signed by the key {issuer}, which is not among the trusted authorities"
            raise CertificateError(Check.ISSUER, text)
        scope = self._scope(issuer)
        if not keys.is_signature(scope.chain[0].key, certificate.signature, certificate.signed_bytes):
            raise CertificateError(Check.SIGNATURE, f"its signature is not that of its issuer, the key {issuer}")
        self._check_times(certificate, scope)
        if certificate.key_id in self._revoked:
            raise CertificateError(Check.REVOKED, f"its key, {certificate.key_id}, was revoked")
        return scope

    def _check_times(self, certificate: Certificate, scope: _Scope) -> None:
        for each in scope.chain:
            if each.expires < self._now:
                text = f"the authority above it, key {each.key_id}, expired on {each.expires:{_FORM}}"
                raise CertificateError(Check.EXPIRED, text)
        if certificate.expires < self._now:
            raise CertificateError(Check.EXPIRED, f"it expired on {certificate.expires:{_FORM}}")
        if not certificate.is_authority and certificate.expires - self._now >= _MAX_AHEAD:
            text = f"it expires on {certificate.expires:{_FORM}}, which is too far ahead: GNS takes it for the past"
            raise CertificateError(Check.EXPIRED, text)
        if certificate.created > self._now + SKEW:
            raise CertificateError(Check.NOT_YET_VALID, f"it is valid from {certificate.created:{_FORM}} on")

    def _scope(self, key_id: int) -> _Scope:
        """Return the scope of a key that is in the store. Raises CertificateError."""
        found = self._scopes.get(key_id)
        if found is None:
            self._visiting.add(key_id)
            try:
                found = self._newest(key_id)
            except CertificateError as error:
                found = error
            self._visiting.discard(key_id)
            self._scopes[key_id] = found
        if isinstance(found, CertificateError):
            raise CertificateError(found.check, str(found))
        return found

    def _newest(self, key_id: int) -> _Scope:
        """Return the scope by the newest certificate of a key that leads to a root."""
        if key_id in self._revoked:
            raise CertificateError(Check.REVOKED, f"the key of the authority above it, {key_id}, was revoked")
        best: _Scope | None = None
        problem: CertificateError | None = None
        for each in self._certificates[key_id]:
            try:
                scope = self._scope_of(each)
            except CertificateError as error:
                problem = problem or error
                continue
            if best is None or best.chain[0].created < each.created:
                best = scope
        if best is None:
            assert problem is not None
            raise problem
        return best

    def _scope_of(self, authority: Certificate) -> _Scope:
        above: _Scope | None = None
        key = authority.key
        name = f"the authority above it, key {authority.key_id},"
        if not authority.is_root:
            issuer = authority.issuer_key_id
            if issuer in self._visiting:
                raise CertificateError(Check.CHAIN, f"{name} leads to itself instead of to a root")
            if issuer not in self._certificates:
                text = f"{name} was signed by the key {issuer}, which is not among the trusted authorities"
                raise CertificateError(Check.CHAIN, text)
            above = self._scope(issuer)
            key = above.chain[0].key
        if not keys.is_signature(key, authority.signature, authority.signed_bytes):
            raise CertificateError(Check.CHAIN, f"{name} has a certificate with a wrong signature")
        app_ids = frozenset(authority.app_ids) or None
        if above is None:
            return _Scope((authority,), app_ids)
        if above.app_ids is not None:
            app_ids = above.app_ids if app_ids is None else above.app_ids & app_ids
            if not app_ids:
                raise CertificateError(Check.CHAIN, f"{name} is for applications that its own issuer is not for")
        return _Scope((authority, *above.chain), app_ids)


def _check_app_id(certificate: Certificate, scope: _Scope, app_id: int) -> None:
    if not certificate.app_ids:
        raise CertificateError(Check.APP_ID, "it is for no application; GNS demands at least one, such as 0")
    if app_id not in certificate.app_ids:
        ids = ", ".join(map(str, certificate.app_ids))
        raise CertificateError(Check.APP_ID, f"it is for the applications {ids}, not for {app_id}")
    if scope.app_ids is not None and app_id not in scope.app_ids:
        raise CertificateError(Check.APP_ID, f"the authorities above it are not for the application {app_id}")


def _moment(now: datetime | None) -> datetime:
    if now is None:
        now = datetime.now(timezone.utc)
    elif now.tzinfo is None:
        raise ValueError("the time has no time zone; use datetime.now(timezone.utc), for example")
    return now.replace(microsecond=0)  # a certificate is valid until the end of its last second, as in GNS
