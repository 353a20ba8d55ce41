"""A certificate authority: it signs the certificates of players, of servers, and of authorities below it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NoReturn

from .._generated.enums import IdentityType
from ..identity import Identity
from . import files, keys, pem
from .certificate import Certificate
from .credentials import Credentials
from .entries import Issued, Revocation
from .errors import CertificateError, Check, PrivateKeyError
from .format import CertificateRequest, Contents, Signed, key_id
from .ledger import FolderLedger, Ledger, MemoryLedger, revoke

MAX_LIFETIME = timedelta(days=60 * 365.25)
"""The longest lifetime: GNS takes an expiry that is 2^31 seconds ahead, or more, for one in the past."""
KEY_FILE = "ca.key"
CERTIFICATE_FILE = "ca.cert"
_LATEST = 2**32 - 1


class Authority:
    """A certificate authority. ``create()`` makes a new one, ``load()`` reads one from its folder.

    It can be used by several threads, and the folder by several processes. It shows its key nowhere, and cannot be
    copied or pickled.
    """

    __slots__ = ("_chain", "_ledger", "_seed", "_signing")

    def __init__(self, chain: tuple[Certificate, ...], seed: bytes, ledger: Ledger) -> None:
        """Not part of the API: use create(), load() or intermediate()."""
        self._chain = chain
        self._seed = seed
        self._ledger = ledger
        self._signing = threading.Lock()

    @classmethod
    def create(cls, *, lifetime: timedelta = timedelta(days=3650), app_ids: Iterable[int] = ()) -> Authority:
        """Return a new authority: a new key, and a root certificate that the key has signed itself.

        Args:
            lifetime: How long the root is valid, from a second to 60 years. No certificate outlives it.
            app_ids: The applications that it can issue certificates for, 0 outside of Steam; empty for all.

        Raises:
            ValueError: The lifetime is out of range.
            ImportError: The library cryptography is not installed.
        """
        seed = keys.new_seed()
        key = keys.public_key(seed)
        created, expires = _times(None, lifetime)
        root = _signed(Contents(key, None, created, expires, tuple(app_ids)), seed, key_id(key))
        return cls((root,), seed, MemoryLedger())

    @classmethod
    def load(cls, folder: str | os.PathLike[str], password: str | bytes | None = None) -> Authority:
        """Return the authority of a folder that ``save()`` or ``gns-py certs init-ca`` has written.

        Args:
            folder: The folder.
            password: The password of its key, or None.

        Raises:
            MalformedCertificate: Its certificate is malformed.
            PrivateKeyError: Its key is missing, malformed or another one, or the password is missing or wrong.
            OSError: It cannot be read.
            ImportError: The library cryptography is not installed.
        """
        place = Path(folder)
        chain = Certificate.load_all(place / CERTIFICATE_FILE)
        block = next(
            (each for each in pem.blocks(files.read_text(place / KEY_FILE)) if each.label in keys.LABELS), None
        )
        if block is None:
            raise PrivateKeyError(f"{place / KEY_FILE} has no private key")
        seed = keys.from_pem(block, password)
        if keys.public_key(seed) != chain[0].key:
            raise PrivateKeyError(f"the key in {place} does not belong to the certificate there")
        return cls(chain, seed, FolderLedger(place))

    def save(self, folder: str | os.PathLike[str], password: str | bytes | None = None) -> None:
        """Write the authority to a new folder; from now on, it keeps its lists of certificates and revocations there.

        Only this user can read the folder (modes 0700 and 0600; on Windows as its parent says). It appears complete or
        not at all.

        Args:
            folder: The folder, which must not exist yet.
            password: A password to encrypt the key with, a long one, or None.

        Raises:
            FileExistsError: The folder exists.
            OSError: It cannot be written.
            ValueError: The password is empty.
        """
        certificates = "".join(each.pem() for each in self._chain)
        place = Path(folder)
        files.write_private_folder(place, {KEY_FILE: keys.to_pem(self._seed, password), CERTIFICATE_FILE: certificates})
        ledger = FolderLedger(place)
        for issued in self._ledger.issued():
            ledger.add_issued(issued)
        for revocation in self._ledger.revocations():
            ledger.add_revocation(revocation)
        self._ledger = ledger

    @property
    def certificate(self) -> Certificate:
        """The authority's own certificate."""
        return self._chain[0]

    @property
    def root(self) -> Certificate:
        """The root above the authority; its own certificate, if it is not an intermediate one."""
        return self._chain[-1]

    @property
    def trust(self) -> tuple[Certificate, ...]:
        """All certificates that peers must trust to verify those of this authority: its own, and those above it."""
        return self._chain

    def issue(
        self,
        identity: Identity | str,
        *,
        lifetime: timedelta = timedelta(hours=1),
        app_ids: Iterable[int] = (0,),
        created: datetime | None = None,
    ) -> Credentials:
        """Make a key, sign a certificate for it, and return both.

        Args:
            identity: The identity that they prove, such as ``"str:alice"``.
            lifetime: How long they are valid, from a second to 60 years.
            app_ids: The applications that they are valid for: 0 outside of Steam.
            created: When they begin to be valid, with a time zone; None for now.

        Raises:
            ValueError: The identity cannot be proved by a certificate, or the lifetime is out of range or longer than
                the authority's own.
            OSError: The authority's list cannot be written.
        """
        seed = keys.new_seed()
        contents = self._contents(keys.public_key(seed), _provable(identity), lifetime, app_ids, created)
        return Credentials(self._sign(contents), seed)

    def sign_request(
        self,
        request: CertificateRequest | bytes,
        *,
        identity: Identity | str,
        lifetime: timedelta = timedelta(hours=1),
        app_ids: Iterable[int] = (0,),
    ) -> Certificate:
        """Sign a certificate for the key of a client, which keeps its private key to itself.

        A login service needs to call nothing else: it knows who has logged in.

        A request does not prove that its sender has the private key, and public keys can be copied. So a key belongs to
        the first identity that gets a certificate for it, which can renew it, until the last one has expired. If two
        processes with the same folder are asked for one key at the same moment, both may sign; threads take turns.

        Args:
            request: The request, as the client has sent it.
            identity: The identity that the *service* knows. The one in the request is only a claim, and is ignored.
            lifetime: How long the certificate is valid, from a second to 60 years.
            app_ids: The applications that it is valid for: 0 outside of Steam.

        Raises:
            MalformedCertificate: The bytes are not a request.
            CertificateError: The key was revoked (``Check.REVOKED``), or it has a certificate of this authority, still
                valid, for another identity or an authority (``Check.IDENTITY``): the client needs another key.
            ValueError: The identity cannot be proved by a certificate, or the lifetime is out of range or longer than
                the authority's own.
            OSError: The authority's list cannot be read or written.
        """
        if not isinstance(request, CertificateRequest):
            request = CertificateRequest.parse(request)
        owner = _provable(identity)
        contents = self._contents(request.key, owner, lifetime, app_ids, None)
        number = request.key_id
        with self._signing:
            if number in self.revoked:
                raise CertificateError(Check.REVOKED, f"the key of the request, {number}, was revoked")
            is_authority = any(each.key_id == number for each in self._chain)
            if is_authority or self._ledger.holders(number) - {owner}:
                text = f"the key of the request, {number}, has a valid certificate of another identity"
                raise CertificateError(Check.IDENTITY, text)
            return self._sign(contents)

    def intermediate(
        self, *, lifetime: timedelta = timedelta(days=365), app_ids: Iterable[int] | None = None
    ) -> Authority:
        """Return a new authority below this one, with a key of its own that can be revoked.

        Peers must trust its certificate in addition to this one's: see ``trust``.

        Args:
            lifetime: How long its certificate is valid, at most as long as this one's.
            app_ids: The applications that it can issue certificates for; None for those of this authority.

        Raises:
            ValueError: The lifetime or an application is out of range.
            OSError: The list of this authority cannot be written.
        """
        seed = keys.new_seed()
        chosen = self.certificate.app_ids if app_ids is None else app_ids
        contents = self._contents(keys.public_key(seed), None, lifetime, chosen, None)
        return type(self)((self._sign(contents), *self._chain), seed, MemoryLedger())

    def revoke(self, subject: Certificate | Identity | int) -> tuple[Revocation, ...]:
        """Revoke a key, and return the revocations.

        Peers notice only if they get the new list: see ``revoked``. Connections that exist go on until closed.

        Args:
            subject: A certificate, the number of a key (``key_id``), or an identity: all keys with a certificate of it
                that is still valid, except for those that another identity has as well.

        Raises:
            ValueError: The number is not one of a key, the authority knows no valid certificate of the identity, or
                another identity has some of its keys: they can be revoked by number. The others were revoked then.
            OSError: The list cannot be written.
        """
        return revoke(self._ledger, subject.key_id if isinstance(subject, Certificate) else subject)

    @property
    def revoked(self) -> frozenset[int]:
        """The numbers of all keys that were revoked, for ``verify()`` and for the processes that trust the authority.

        Raises:
            OSError: The list cannot be read.
        """
        return frozenset(each.key_id for each in self._ledger.revocations())

    def revocations(self) -> tuple[Revocation, ...]:
        """Return all revocations with their times, the oldest first.

        Raises:
            OSError: The list cannot be read.
        """
        return self._ledger.revocations()

    def issued(self) -> list[Issued]:
        """Return the certificates that are still valid, the oldest first. Those that have expired are forgotten.

        Raises:
            OSError: The list cannot be read.
        """
        return self._ledger.issued()

    def _contents(
        self,
        key: bytes,
        identity: Identity | None,
        lifetime: timedelta,
        app_ids: Iterable[int],
        created: datetime | None,
    ) -> Contents:
        begin, end = _times(created, lifetime)
        own = self._chain[0]
        first_to_expire = min(self._chain, key=lambda each: each.expires)
        if end > first_to_expire.expires.timestamp():
            raise ValueError(f"the certificate would outlive its authority, which expires on {first_to_expire.expires}")
        numbers = tuple(app_ids)
        if identity is not None and not numbers:
            raise ValueError("a certificate must be for an application: 0 outside of Steam")
        if any(not 0 <= each < 2**32 for each in numbers):
            raise ValueError(f"{numbers} are not all ids of applications")
        if own.app_ids and not set(numbers) <= set(own.app_ids):
            raise ValueError(f"the authority is only for the applications {', '.join(map(str, own.app_ids))}")
        return Contents(key, identity, begin, end, numbers)

    def _sign(self, contents: Contents) -> Certificate:
        certificate = _signed(contents, self._seed, self._chain[0].key_id)
        self._ledger.add_issued(
            Issued(certificate.key_id, certificate.identity, certificate.created, certificate.expires)
        )
        return certificate

    def __reduce__(self) -> NoReturn:
        """Refuse copy.copy(), copy.deepcopy() and pickle, which all call this."""
        raise TypeError("an authority cannot be copied or pickled, since it holds a private key: save() it")

    def __repr__(self) -> str:
        return f"<Authority: {self.certificate!r}>"


def _signed(contents: Contents, seed: bytes, issuer: int) -> Certificate:
    data = contents.encode()
    return Certificate(Signed(data, issuer, keys.sign(seed, data)).encode())


def _times(created: datetime | None, lifetime: timedelta) -> tuple[int, int]:
    if not timedelta(seconds=1) <= lifetime <= MAX_LIFETIME:
        raise ValueError(f"a lifetime must be from a second to 60 years, not {lifetime}")
    if created is None:
        created = datetime.now(timezone.utc)
    elif created.tzinfo is None:
        raise ValueError("the time has no time zone; use datetime.now(timezone.utc), for example")
    begin = int(created.timestamp())
    end = begin + int(lifetime.total_seconds())
    if begin < 0 or end > _LATEST:
        raise ValueError(f"a certificate is valid from 1970 to 2106 at most, not from {created} for {lifetime}")
    return begin, end


def _provable(identity: Identity | str) -> Identity:
    found = Identity.parse(identity) if isinstance(identity, str) else identity
    if not isinstance(found, Identity):
        raise TypeError(f"an identity must be an Identity or a str, not {type(found).__name__}")
    if found.type in (IdentityType.INVALID, IdentityType.IP_ADDRESS):
        raise ValueError(f"{found} cannot be proved by a certificate: use a name, such as 'str:alice'")
    return found
