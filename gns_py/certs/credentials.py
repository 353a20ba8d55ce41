"""A certificate together with its private key."""

from __future__ import annotations

import os
from typing import NoReturn

from ..identity import Identity
from . import files, keys, pem
from .certificate import Certificate
from .errors import PrivateKeyError
from .format import KEY_SIZE, Signed


class Credentials:
    """A certificate and its private key, with which a program proves its identity.

    They show the key nowhere by themselves, and cannot be copied or pickled: ``save()`` writes them to a file.

    Args:
        certificate: The certificate.
        private_key: The seed of the key, 32 bytes.

    Raises:
        TypeError: A value is of another type.
        PrivateKeyError: The key has another size, or is not the certificate's. Without the library cryptography, only
            GNS notices the latter, when the certificate is used.
    """

    __slots__ = ("_certificate", "_private_key")

    def __init__(self, certificate: Certificate, private_key: bytes) -> None:
        if not isinstance(certificate, Certificate):
            raise TypeError(f"the certificate must be a Certificate, not {type(certificate).__name__}")
        if not isinstance(private_key, bytes):
            raise TypeError(f"the private key must be bytes, not {type(private_key).__name__}")
        if len(private_key) != KEY_SIZE:
            raise PrivateKeyError(f"a private key has {KEY_SIZE} bytes, not {len(private_key)}")
        self._certificate = certificate
        self._private_key = private_key
        if keys.can_compute() and keys.public_key(self._private_key) != certificate.key:
            raise PrivateKeyError("the private key does not belong to the certificate")

    @property
    def certificate(self) -> Certificate:
        """The certificate."""
        return self._certificate

    @property
    def private_key(self) -> bytes:
        """The seed of the private key, 32 bytes: whoever has it can present the identity as their own."""
        return self._private_key

    @property
    def identity(self) -> Identity | None:
        """The identity that they prove."""
        return self._certificate.identity

    @classmethod
    def load(cls, path: str | os.PathLike[str], password: str | bytes | None = None) -> Credentials:
        """Return the credentials of a file that ``save()`` or ``gns-py certs issue`` has written.

        Args:
            path: The file: a certificate and a private key as text.
            password: The password of the key, or None.

        Raises:
            MalformedCertificate: It has no certificate.
            PrivateKeyError: It has no key, the key is not the certificate's, or the password is missing or wrong.
            ImportError: The key is encrypted, and the library cryptography is not installed.
            OSError: It cannot be read.
        """
        return cls.parse(files.read_text(path), password)

    @classmethod
    def parse(cls, data: str | bytes, password: str | bytes | None = None) -> Credentials:
        """Return the credentials of a text; of bytes, if GNS has written the private key into the certificate.

        Args:
            data: The text, or the bytes.
            password: The password of the key, or None.

        Raises:
            MalformedCertificate: There is no certificate.
            PrivateKeyError: There is no key, it is not the certificate's, or the password is missing or wrong.
            ImportError: The key is encrypted, and the library cryptography is not installed.
        """
        text = pem.text_or_bytes(data)
        if isinstance(text, bytes):
            return cls(Certificate(text), _inside(text))
        certificate = Certificate.parse(text)
        for block in pem.blocks(text):
            if block.label in keys.LABELS:
                return cls(certificate, keys.from_pem(block, password))
        inside = next(block for block in pem.blocks(text) if block.label == pem.CERTIFICATE)
        return cls(certificate, _inside(inside.decode()))

    def save(self, path: str | os.PathLike[str], password: str | bytes | None = None, *, replace: bool = False) -> None:
        """Write both to a file, as text, readable by this user alone (mode 0600; on Windows as the folder says).

        Args:
            path: The file.
            password: A password to encrypt the private key with, or None.
            replace: True to replace a file that exists, in one step.

        Raises:
            FileExistsError: The file exists, and *replace* is false.
            OSError: It cannot be written.
            ValueError: The password is empty.
            ImportError: There is a password, and the library cryptography is not installed.
        """
        files.write_private(path, self._certificate.pem() + keys.to_pem(self._private_key, password), replace=replace)

    def renewed(self, certificate: Certificate) -> Credentials:
        """Return the same key with another certificate of it.

        Args:
            certificate: The new certificate.

        Raises:
            PrivateKeyError: It is of another key.
        """
        if certificate.key != self._certificate.key:
            raise PrivateKeyError("the new certificate is of another key")
        return type(self)(certificate, self._private_key)

    def __reduce__(self) -> NoReturn:
        """Refuse copy.copy(), copy.deepcopy() and pickle, which all call this."""
        raise TypeError("credentials cannot be copied or pickled, since they hold a private key: save() them")

    def __repr__(self) -> str:
        return f"<Credentials: {self._certificate!r}>"


def _inside(data: bytes) -> bytes:
    private_key = Signed.parse(data).private_key
    if private_key is None:
        raise PrivateKeyError("there is no private key")
    return private_key
