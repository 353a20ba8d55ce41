"""The certificate that this process presents, and those that it trusts. All of it is forgotten by stop()."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .. import _native
from .._native import PresentedCertificate
from .authentication import parts, roots
from .runtime import ensure_started

if TYPE_CHECKING:
    from ..certs import Certificate, Credentials


def set_trust(certificates: Iterable[Certificate | bytes]) -> None:
    """Trust these roots and intermediates from now on, and no others; connections stay as they are. Any thread.

    Args:
        certificates: Certificates without an identity: roots, and intermediates that one of them has signed. One that
            has expired is allowed, but proves nothing.

    Raises:
        CertificateRefused: One cannot be trusted; the message says which one, and why. Nothing changes.
        TypeError: One is neither a Certificate nor bytes.
    """
    wanted = roots(certificates)
    ensure_started()
    _native.set_trust(wanted)


def set_revoked(key_ids: Iterable[int]) -> None:
    """Refuse these keys from now on, and no others, whatever else is demanded of peers. Any thread.

    A certificate that such a key has signed proves nothing. Connections stay as they are: close those whose
    ``remote_key`` is revoked.

    Args:
        key_ids: The numbers of public keys, of peers or of authorities (Certificate.key_id).

    Raises:
        TypeError: One is not an int.
        ValueError: One is not a number of 64 bits.
    """
    wanted = list(key_ids)
    for each in wanted:
        if not isinstance(each, int) or isinstance(each, bool):
            raise TypeError(f"a key id must be an int, not {type(each).__name__}")
        if not 0 <= each < 2**64:
            raise ValueError(f"a key id has 64 bits, but this one is {each}")
    ensure_started()
    _native.set_revoked(wanted)


def renew(certificate: Credentials | Certificate | bytes) -> None:
    """Present this certificate from now on: one with the same identity, as a rule with the same key. Any thread.

    Connections stay as they are: only later handshakes present it.

    Args:
        certificate: Credentials, or a certificate alone, of the key that is in use or in request_certificate().

    Raises:
        CertificateRefused: It cannot be presented; the message says which check failed. Nothing changes.
        TypeError: It has another type.

    Note:
        Native function: ``SetCertificate``.
    """
    data, private_key = parts(certificate)
    ensure_started()
    _native.set_certificate(data, private_key)


def request_certificate() -> bytes:
    """Return a request for a certificate: a public key, and this process's identity if it has one. Any thread.

    The private key is made if there is none. It does not leave the process: renew() takes the certificate alone.

    Note:
        Native function: ``GetCertificateRequest``.
    """
    ensure_started()
    return _native.certificate_request()


def presented_certificate() -> PresentedCertificate | None:
    """Return the certificate that this process presents, or None. Any thread."""
    ensure_started()
    return _native.presented_certificate()
