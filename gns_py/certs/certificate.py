"""Certificates as values."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from .._printable import printable
from ..identity import Identity
from . import files, pem
from .errors import MalformedCertificate
from .format import Contents, Signed, key_id


class Certificate:
    """A certificate in GNS's own form: immutable, without the private key, usable as a key of a dict.

    ``bytes(certificate)`` is what is sent and stored. To parse one says nothing about its truth: see ``verify()``.

    Args:
        data: The bytes of the certificate. A private key among them is left out.

    Raises:
        MalformedCertificate: They are not a certificate.
    """

    __slots__ = ("_contents", "_data", "_signed")

    def __init__(self, data: bytes) -> None:
        signed = Signed.parse(data)
        self._signed = Signed(signed.contents, signed.issuer_key_id, signed.signature)
        self._contents = Contents.parse(signed.contents)
        self._data = self._signed.encode()

    @classmethod
    def parse(cls, data: bytes | str) -> Certificate:
        """Return the certificate of these bytes, or of a text with its ``STEAMDATAGRAM CERT`` block.

        Args:
            data: The bytes or the text, as a str or as it was read from a file. If a text has several blocks, the first
                one counts.

        Raises:
            MalformedCertificate: They are not a certificate.
        """
        found = pem.text_or_bytes(data)
        return cls(found) if isinstance(found, bytes) else cls.parse_all(found)[0]

    @classmethod
    def parse_all(cls, text: str) -> tuple[Certificate, ...]:
        """Return the certificates of a text, at least one; other blocks are ignored.

        Args:
            text: The text, for example that of a file with the roots of a game.

        Raises:
            MalformedCertificate: There is no certificate, or one of them is malformed.
        """
        found = tuple(cls(block.decode()) for block in pem.blocks(text) if block.label == pem.CERTIFICATE)
        if not found:
            raise MalformedCertificate(f"the text has no {pem.CERTIFICATE!r} block")
        return found

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Certificate:
        """Return the first certificate of a file of text.

        Args:
            path: The file.

        Raises:
            MalformedCertificate: It has no certificate.
            OSError: It cannot be read.
        """
        return cls.load_all(path)[0]

    @classmethod
    def load_all(cls, path: str | os.PathLike[str]) -> tuple[Certificate, ...]:
        """Return all certificates of a file of text, at least one.

        Args:
            path: The file.

        Raises:
            MalformedCertificate: It has no certificate, or one of them is malformed.
            OSError: It cannot be read.
        """
        return cls.parse_all(files.read_text(path))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the certificate to a file of text, which replaces an older one.

        Args:
            path: The file.

        Raises:
            OSError: It cannot be written.
        """
        Path(path).write_text(self.pem(), encoding="ascii", newline="\n")

    def pem(self) -> str:
        """Return the certificate as the text that GNS's own tools write."""
        return pem.encode(pem.CERTIFICATE, self._data)

    def __bytes__(self) -> bytes:
        return self._data

    @property
    def identity(self) -> Identity | None:
        """The identity that it was issued to; None for an authority."""
        return self._contents.identity

    @property
    def is_authority(self) -> bool:
        """True if it was issued to an authority: its key signs certificates."""
        return self._contents.identity is None

    @property
    def is_root(self) -> bool:
        """True if it is an authority's own, signed by its own key."""
        return self.is_authority and self.key_id == self.issuer_key_id

    @property
    def key(self) -> bytes:
        """The public key, 32 bytes."""
        return self._contents.key

    @property
    def key_id(self) -> int:
        """The number by which GNS names the key, 64 bits."""
        return key_id(self._contents.key)

    @property
    def issuer_key_id(self) -> int:
        """The number of the key that has signed it."""
        return self._signed.issuer_key_id

    @property
    def created(self) -> datetime:
        """The time at which it was issued, in UTC."""
        return datetime.fromtimestamp(self._contents.created, timezone.utc)

    @property
    def expires(self) -> datetime:
        """The last moment at which it is valid, in UTC."""
        return datetime.fromtimestamp(self._contents.expires, timezone.utc)

    @property
    def app_ids(self) -> tuple[int, ...]:
        """The ids of the applications that it is valid for: 0 outside of Steam; for an authority, empty means all."""
        return self._contents.app_ids

    @property
    def data_centers(self) -> tuple[int, ...]:
        """The numbers of Valve's data centers that it is restricted to. gns_py writes none and does not check them."""
        return self._contents.data_centers

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that it names. gns_py writes none; neither GNS nor gns_py checks them."""
        return self._contents.addresses

    @property
    def signed_bytes(self) -> bytes:
        """The bytes that the signature is over."""
        return self._signed.contents

    @property
    def signature(self) -> bytes:
        """The signature of its issuer, 64 bytes."""
        return self._signed.signature

    def __eq__(self, other: object) -> bool:
        return self._data == other._data if isinstance(other, Certificate) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._data)

    def __reduce__(self) -> tuple[type[Certificate], tuple[bytes]]:
        return type(self), (self._data,)

    def __repr__(self) -> str:
        kind = "root" if self.is_root else "authority"
        name = kind if self.identity is None else printable(str(self.identity))
        return f"<Certificate of {name}, key {self.key_id}, until {self.expires:%Y-%m-%d %H:%M:%S} UTC>"
