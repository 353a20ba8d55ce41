"""Files with certificates, as ``gns-py certs`` reads and shows them."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from .._printable import printable
from ..certs import Certificate, CertificateRequest, MalformedCertificate
from ..certs.format import MAX_SIZE, Signed
from ..certs.keys import LABELS, PRIVATE_KEY
from ..certs.pem import MAX_TEXT, blocks
from .output import CommandError, Output

_UNITS = (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1))


class Found(NamedTuple):
    """The contents of a file."""

    value: tuple[Certificate, ...] | CertificateRequest
    private_key: str | None = None
    """How the private key that it has is protected; None if it has none."""


def read_anything(path: Path) -> Found:
    """Return the certificates of a file, or the request in it.

    Raises:
        CommandError: It has neither.
        OSError: It cannot be read.
    """
    data = _read(path)
    try:
        if b"-----BEGIN " in data:
            return _text(data.decode())
        try:
            certificate = Certificate(data)
        except MalformedCertificate as problem:
            return Found(_request_or(data, f"{path}: neither a certificate nor a request: {problem}"))
        return Found((certificate,), None if Signed.parse(data).private_key is None else "not encrypted")
    except ValueError as error:
        raise CommandError(f"{path}: not a certificate: {error}") from None


def read_certificates(path: Path) -> tuple[Certificate, ...]:
    """Return the certificates of a file.

    Raises:
        CommandError: It has none.
        OSError: It cannot be read.
    """
    found = read_anything(path).value
    if isinstance(found, CertificateRequest):
        raise CommandError(f"{path} is a request, not a certificate")
    return found


def read_request(path: Path) -> CertificateRequest:
    """Return the request in a file, as bytes or in base64.

    Raises:
        CommandError: It is not a request.
        OSError: It cannot be read.
    """
    return _request_or(_read(path), f"{path}: not a request")


def describe(certificate: Certificate) -> dict[str, object]:
    """Return what a certificate says, for JSON: numbers of keys are texts, since not every program has 64-bit ones."""
    kind = "root" if certificate.is_root else "authority" if certificate.is_authority else "certificate"
    facts: dict[str, object] = {
        "kind": kind,
        "identity": None if certificate.identity is None else str(certificate.identity),
        "key": certificate.key.hex(),
        "key_id": str(certificate.key_id),
        "issuer_key_id": str(certificate.issuer_key_id),
        "created": certificate.created.isoformat(),
        "expires": certificate.expires.isoformat(),
        "app_ids": list(certificate.app_ids),
    }
    if certificate.data_centers:
        facts["data_centers"] = list(certificate.data_centers)
    if certificate.addresses:
        facts["addresses"] = list(certificate.addresses)
    return facts


def describe_request(request: CertificateRequest) -> dict[str, object]:
    """Return what a request says, for JSON."""
    return {
        "kind": "request",
        "identity": None if request.identity is None else str(request.identity),
        "key": request.key.hex(),
        "key_id": str(request.key_id),
    }


def show(output: Output, title: str, facts: dict[str, object]) -> None:
    """Print what describe() has returned as a table."""
    rows = [[name.replace("_", " "), _cell(name, value)] for name, value in facts.items()]
    output.table(title, ["", ""], rows)


def when(time: datetime) -> str:
    """Return a time, and how far away it is."""
    seconds = round((time - datetime.now(timezone.utc)).total_seconds())
    unit, size = next(((unit, size) for unit, size in _UNITS if abs(seconds) >= 2 * size), _UNITS[-1])
    count = abs(seconds) // size
    away = f"in {count} {unit}" if seconds >= 0 else f"{count} {unit} ago"
    return f"{time:%Y-%m-%d %H:%M:%S} UTC, {away}"


def _cell(name: str, value: object) -> str:
    match name, value:
        case (("created" | "expires"), str(text)):
            return when(datetime.fromisoformat(text))
        case "identity", None:
            return "none"
        case "app_ids", []:
            return "all"
        case _, list(values):
            return printable(", ".join(map(str, values)))
        case _, bool(value):
            return "yes" if value else "no"
        case _:
            return printable(str(value))


def _request_or(data: bytes, complaint: str) -> CertificateRequest:
    try:
        return CertificateRequest.parse(data)
    except MalformedCertificate:
        try:
            return CertificateRequest.parse(base64.b64decode(data.strip(), validate=True))
        except (binascii.Error, ValueError):
            raise CommandError(complaint) from None


def _text(text: str) -> Found:
    certificates = Certificate.parse_all(text)
    labels = [each.label for each in blocks(text) if each.label in LABELS]
    if not labels:
        return Found(certificates)
    return Found(certificates, "not encrypted" if labels[0] == PRIVATE_KEY else "encrypted or in OpenSSH's form")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT or (b"-----BEGIN " not in data and len(data) > 2 * MAX_SIZE):
        raise CommandError(f"{path} is too long for a file of certificates")
    return data
