"""Logging in to a signalling server: who a client is, and never by its own word."""

from __future__ import annotations

import inspect
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import TypeAlias

from ..._generated.enums import IdentityType
from ..._printable import printable
from ...certs import Certificate, CertificateError, keys, verify
from ...identity import Identity
from .errors import Refusal, SignallingRefused, SignallingUnavailable
from .fields import PrintableText, WireError
from .wire import (
    MAX_SERVER_NAME,
    NONCE_SIZE,
    Challenge,
    HelloCertificate,
    HelloToken,
    Message,
    Methods,
    proof,
)

Authenticate: TypeAlias = "Callable[[str], Identity | str | Awaitable[Identity | str | None] | None]"

_log = logging.getLogger("gns_py.p2p.signalling")
_NAME = PrintableText(0, MAX_SERVER_NAME)


class Login:
    """Checks tokens and certificates.

    Args:
        authenticate: Returns the identity of a token, or None.
        trust: The certificates of the authorities that are trusted; None if there is no login by certificate.
        revoked: The numbers of keys that were revoked.
        name: The server's name, which proofs are made for.

    Raises:
        TypeError: A value is of another type.
        ValueError: There is no way to log in, or there is one by certificate, and the server has no name.
        ImportError: There is a login by certificate, and the library cryptography is not installed.
    """

    def __init__(
        self,
        authenticate: Authenticate | None,
        trust: Iterable[Certificate] | None,
        revoked: Collection[int],
        name: str,
    ) -> None:
        if authenticate is not None and not callable(authenticate):
            raise TypeError(f"authenticate must be callable, not {type(authenticate).__name__}")
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, not {type(name).__name__}")
        try:
            _NAME.write(name)
        except WireError as error:
            raise ValueError(f"the name of a server: {error}") from None
        self._authenticate = authenticate
        self._name = name
        self._trust: tuple[Certificate, ...] | None = None
        self._revoked: frozenset[int] = frozenset()
        self._methods = Methods(0)
        if authenticate is not None:
            self._methods |= Methods.TOKEN
        if trust is not None:
            self._methods |= Methods.CERTIFICATE
            self.set_trust(trust, revoked)
            if not name:
                raise ValueError("a login by certificate needs the server's name, which clients sign: name=...")
            if not keys.can_compute():
                raise ImportError("a login by certificate needs cryptography: pip install 'gns-py[certs]'")
        if not self._methods:
            raise ValueError("clients need a way to log in: authenticate=..., trust=..., or both")

    def set_trust(self, trust: Iterable[Certificate], revoked: Collection[int]) -> None:
        """Replace the authorities that are trusted and the keys that were revoked.

        Raises:
            TypeError: One of the authorities is not a certificate.
            ValueError: There is no login by certificate.
        """
        if not self._methods & Methods.CERTIFICATE:
            raise ValueError("the server was made without trust=...: it takes no logins by certificate")
        roots = tuple(trust)
        for each in roots:
            if not isinstance(each, Certificate):
                raise TypeError(f"trust must be certificates, not {type(each).__name__}")
        self._trust, self._revoked = roots, frozenset(revoked)

    def challenge(self) -> Challenge:
        """Return the first message for a client."""
        return Challenge(self._methods, self._name, secrets.token_bytes(NONCE_SIZE))

    async def identity(self, hello: Message, challenge: Challenge) -> Identity:
        """Return the identity that a client has proved.

        Args:
            hello: The client's message.
            challenge: The message that it answers.

        Raises:
            SignallingRefused: It has proved none.
            SignallingUnavailable: The application has failed; the client may try again.
        """
        match hello:
            case HelloToken(token) if self._authenticate is not None:
                return await self._by_token(token, self._authenticate)
            case HelloCertificate(certificate, signature) if self._trust is not None:
                return self._by_certificate(certificate, signature, proof(self._name, challenge.nonce))
            case HelloToken() | HelloCertificate():
                raise SignallingRefused(Refusal.NOT_AUTHENTICATED, "this server has no login of this kind")
        raise SignallingRefused(Refusal.PROTOCOL, "a login was expected")

    async def _by_token(self, token: str, authenticate: Authenticate) -> Identity:
        try:
            found = authenticate(token)
            identity = await found if inspect.isawaitable(found) else found
            if identity is not None:
                return _checked(identity)
        except Exception:
            _log.exception("authenticate() has failed: the client is refused")
            raise SignallingUnavailable("the login has failed") from None
        raise SignallingRefused(Refusal.NOT_AUTHENTICATED, "the token is not valid")

    def _by_certificate(self, data: bytes, signature: bytes, signed: bytes) -> Identity:
        try:
            certificate, identity, _ = verify(data, trust=self._trust or (), revoked=self._revoked)
        except CertificateError as error:
            raise SignallingRefused(Refusal.NOT_AUTHENTICATED, _short(f"the certificate: {error}")) from None
        if not keys.is_signature(certificate.key, signature, signed):
            raise SignallingRefused(
                Refusal.NOT_AUTHENTICATED,
                "the client does not have the certificate's key, or signed for another server",
            )
        return identity


def _checked(identity: object) -> Identity:
    """Return the identity that authenticate() has returned, if it is one that can be proved."""
    if isinstance(identity, str):
        identity = Identity.parse(identity)
    if not isinstance(identity, Identity):
        raise TypeError(f"authenticate() must return an Identity, a str or None, not {type(identity).__name__}")
    if identity.type in (IdentityType.INVALID, IdentityType.IP_ADDRESS):
        raise ValueError(f"authenticate() has returned {printable(str(identity))}, which is not a client's identity")
    return identity


def _short(text: str) -> str:
    return text.encode()[:250].decode(errors="ignore").replace("\0", "?")
