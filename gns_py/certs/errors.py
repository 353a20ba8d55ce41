"""The exceptions of certificates.

GNSError
├── CertificateError (ValueError)           a check has failed: see .check
│   └── MalformedCertificate                the bytes are not a certificate, or not a request for one
└── PrivateKeyError (ValueError)            a private key that cannot be read: the password is wrong, for example
"""

from __future__ import annotations

from enum import Enum

from ..errors import GNSError


class Check(Enum):
    """The checks of a certificate, in the order in which they are made."""

    FORMAT = "format"
    """The bytes are a certificate."""
    ISSUER = "issuer"
    """The authority that has signed it is known."""
    CHAIN = "chain"
    """The authorities above it lead to a root that is trusted."""
    SIGNATURE = "signature"
    """The signature is that authority's."""
    EXPIRED = "expired"
    """Neither it nor an authority above it has expired."""
    NOT_YET_VALID = "not yet valid"
    """It was created in the past, or at most five minutes in the future."""
    REVOKED = "revoked"
    """Neither its key nor that of an authority above it was revoked."""
    IDENTITY = "identity"
    """It was issued to the identity that was expected. For a request: no other identity has its key."""
    APP_ID = "app id"
    """It and the authorities above it are valid for the application's id, which is 0 outside of Steam."""


class CertificateError(GNSError, ValueError):
    """A certificate has not passed a check.

    Attributes:
        check: The check that failed, the first one.
    """

    def __init__(self, check: Check, text: str) -> None:
        super().__init__(text)
        self.check = check

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.check, str(self)), self.__dict__


class MalformedCertificate(CertificateError):
    """The bytes are not a certificate, or not a request for one."""

    def __init__(self, text: str) -> None:
        super().__init__(Check.FORMAT, text)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self),), self.__dict__


class PrivateKeyError(GNSError, ValueError):
    """The private key cannot be read: the password is missing or wrong, or it is not an Ed25519 key."""
