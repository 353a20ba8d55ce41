"""``gns-py certs serve``: an HTTPS service that signs requests, to develop with.

A client sends its request to ``POST /certificate``, with ``Authorization: Bearer TOKEN``. A function of the developer
says whose token it is.
"""

from __future__ import annotations

import argparse
import importlib
import ipaddress
import json
import logging
import os
import socket
import ssl
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from .. import Identity
from .._printable import printable
from ..certs import Authority, CertificateError, MalformedCertificate
from ..certs.files import write_private
from ..certs.format import MAX_SIZE
from .arguments import host, number, port
from .output import CommandError, Output

if TYPE_CHECKING:
    from .arguments import Parser

Login: TypeAlias = "Callable[[str], Identity | str | None]"

HTTPS_CERTIFICATE = "https.pem"
DEFAULT_PORT = 8443
# The longest that a client may take for its request, and the lifetime of the HTTPS certificate.
_PATIENCE = 10.0
_DAYS = 30
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)

_log = logging.getLogger("gns_py.certs")


def add_arguments(parser: Parser) -> None:
    """Add the arguments of the command, except for those of the authority."""
    parser.add_argument(
        "--login",
        required=True,
        metavar="MODULE:FUNCTION",
        help="a function that returns the identity of a token, such as str:alice, or None",
    )
    parser.add_argument("--hours", type=number(1 / 3600, 24 * 365), default=1.0, help="lifetimes (%(default)g)")
    parser.add_argument("--host", type=host, default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=port, default=DEFAULT_PORT, help="TCP port (%(default)s; 0 finds a free one)")


def serve(authority: Authority, options: argparse.Namespace, output: Output) -> int:
    """Serve until Ctrl-C, and return the exit code."""
    login = load_login(options.login)
    folder: Path = options.ca
    with IssuerServer(authority, login, timedelta(hours=options.hours), options.host, options.port) as server:
        certificate = server.use_tls()
        (folder / HTTPS_CERTIFICATE).write_text(certificate, encoding="ascii")
        output.line(f"listening on {server.url}", "bold")
        output.line(f"clients must trust {folder / HTTPS_CERTIFICATE}, for example with curl --cacert", "dim")
        server.on_issued = lambda text: output.line(f"{datetime.now():%H:%M:%S}  {text}")
        server.serve_forever()
    return 0


def load_login(name: str) -> Login:
    """Return the function of a name like ``module:function``; modules in the current folder are found.

    Raises:
        CommandError: There is no such function.
    """
    module, _, function = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise CommandError(f"--login {name}: {error}") from None
    finally:
        sys.path.pop(0)
    if not callable(found):
        raise CommandError(f"--login {name}: not a function")
    login: Login = found
    return login


class IssuerServer(ThreadingHTTPServer):
    """An HTTP server that signs requests.

    Args:
        authority: The authority that signs.
        login: Returns the identity of a token, or None. It is called by several threads.
        lifetime: The lifetime of certificates.
        address: The address to listen on.
        number: The TCP port.
    """

    daemon_threads = True

    def __init__(self, authority: Authority, login: Login, lifetime: timedelta, address: str, number: int) -> None:
        if ":" in address:
            self.address_family = socket.AF_INET6
        super().__init__((address, number), _Handler)
        self._host = address
        self._authority = authority
        self._login = login
        self._lifetime = lifetime
        self._tls: ssl.SSLContext | None = None
        self.on_issued: Callable[[str], object] = lambda _: None
        """Called with a line about each certificate."""

    @property
    def url(self) -> str:
        """The URL to send requests to."""
        name = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'http' if self._tls is None else 'https'}://{name}:{self.server_address[1]}/certificate"

    def use_tls(self) -> str:
        """Use TLS with a new certificate for the address and for localhost, and return the certificate as text."""
        certificate, key = _https_certificate(self._host)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:  # the library reads keys from files alone
            path = os.path.join(folder, "key.pem")  # noqa: PTH118
            write_private(path, key + certificate)
            context.load_cert_chain(path)
        self._tls = context
        return certificate

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection. The TLS handshake is made in the connection's own thread."""
        accepted, address = super().get_request()
        accepted.settimeout(_PATIENCE)
        if self._tls is None:
            return accepted, address
        return self._tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - of the base class
        """Log what has ended a connection, without a traceback: most are clients that leave or speak no TLS."""
        _log.info("a connection has ended: %r", sys.exc_info()[1])

    def sign(self, token: str, request: bytes) -> tuple[HTTPStatus, dict[str, object]]:
        """Return the answer to a request."""
        identity = self._login(token)
        if identity is None:
            return HTTPStatus.UNAUTHORIZED, {"error": "the token is not valid"}
        try:
            certificate = self._authority.sign_request(request, identity=identity, lifetime=self._lifetime)
        except MalformedCertificate as error:
            return HTTPStatus.BAD_REQUEST, {"error": str(error)}
        except CertificateError as error:  # the key was revoked, or is another's
            return HTTPStatus.FORBIDDEN, {"error": str(error)}
        self.on_issued(f"{printable(str(certificate.identity))}: key {certificate.key_id}")
        return HTTPStatus.OK, {
            "certificate": certificate.pem(),
            "trust": [each.pem() for each in self._authority.trust],
            "expires": certificate.expires.isoformat(),
        }


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: IssuerServer
    server_version = "gns-py"
    timeout = _PATIENCE

    def do_POST(self) -> None:
        self._answer(*self._result())

    def do_GET(self) -> None:
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, {"error": "send a request with POST"})

    def _result(self) -> tuple[HTTPStatus, dict[str, object]]:
        if self.path != "/certificate":
            return HTTPStatus.NOT_FOUND, {"error": "POST to /certificate"}
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            return HTTPStatus.UNAUTHORIZED, {"error": "send Authorization: Bearer TOKEN"}
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length[:9]) > MAX_SIZE:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"send a request of at most {MAX_SIZE} bytes"}
        data = self.rfile.read(int(length))
        try:
            return self.server.sign(token.strip(), data)
        except Exception:
            _log.exception("a request could not be signed")
            return HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "the service has failed"}

    def _answer(self, status: HTTPStatus, result: dict[str, object]) -> None:
        data = json.dumps(result).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - http.server's name
        """Log nothing for each request: tokens and identities belong to no log."""


def _https_certificate(address: str) -> tuple[str, str]:
    """Return a new certificate for HTTPS, and its key, as text."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gns-py certs serve")])
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names += [x509.IPAddress(ipaddress.ip_address(each)) for each in ("127.0.0.1", "::1")]
    try:
        names.append(x509.IPAddress(ipaddress.ip_address(address)))
    except ValueError:
        names.append(x509.DNSName(address))
    # Its own authority, and complete enough for the strict checks that Python makes from 3.13 on.
    usage = dict.fromkeys(_USAGES, False) | {"digital_signature": True, "key_cert_sign": True}
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.Encoding.PEM
    private = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(form).decode(), private.decode()
