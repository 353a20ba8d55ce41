"""The arguments of start() by which a process proves its identity, and demands the same of its peers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from .. import _native
from .demands import demand_on_clients

if TYPE_CHECKING:
    from ..certs import Certificate, Credentials


class Authentication(NamedTuple):
    """These arguments, checked; None leaves as it is what they are about."""

    certificate: tuple[bytes, bytes | None] | None
    trust: list[bytes] | None
    policy: _native.PeerPolicy | None

    def apply(self) -> None:
        """Hand them to GNS, which runs: all of them, or none if one is refused."""
        if self != (None, None, None):
            _native.set_authentication(*self)


def check_authentication(
    certificate: Credentials | Certificate | bytes | None,
    trust: Iterable[Certificate | bytes] | None,
    require_authentication: bool | None,
) -> Authentication:
    """Check these arguments of start().

    Raises:
        TypeError: One has the wrong type.
    """
    return Authentication(
        None if certificate is None else parts(certificate),
        None if trust is None else roots(trust),
        demand_on_clients(require_authentication),
    )


def parts(certificate: Credentials | Certificate | bytes) -> tuple[bytes, bytes | None]:
    """Return a certificate and its private key, or None if that is not with it.

    Raises:
        TypeError: It is neither Credentials nor a Certificate nor bytes.
    """
    if isinstance(certificate, bytes):
        return certificate, None
    from ..certs import Certificate, Credentials  # not before it is needed: it takes time

    if isinstance(certificate, Credentials):
        return bytes(certificate.certificate), certificate.private_key
    if isinstance(certificate, Certificate):
        return bytes(certificate), None
    kind = type(certificate).__name__
    raise TypeError(f"a certificate to present must be Credentials, a Certificate or bytes, not {kind}")


def roots(certificates: Iterable[Certificate | bytes]) -> list[bytes]:
    """Return certificates to trust as bytes.

    Raises:
        TypeError: One is neither a Certificate nor bytes.
    """
    if isinstance(certificates, bytes | str):
        raise TypeError("certificates to trust are several: put a single one into a list")
    found = list(certificates)
    if not all(isinstance(each, bytes) for each in found):
        from ..certs import Certificate  # see parts()

        for each in found:
            if not isinstance(each, bytes | Certificate):
                raise TypeError(f"a certificate to trust must be a Certificate or bytes, not {type(each).__name__}")
    return [bytes(each) for each in found]
