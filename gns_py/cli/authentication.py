"""The options by which a command proves who it is, and says whom it wants at the other end."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import NamedTuple

import gns_py

from .. import CertificateRefused
from .._printable import printable
from ..certs import Certificate, Credentials, Expect
from ..stats import ConnectionInfo
from .arguments import Parser, identity
from .certs_files import read_certificates
from .output import CommandError


class Trusted(NamedTuple):
    """A certificate to trust, and its file."""

    file: Path
    certificate: Certificate


class Authentication(NamedTuple):
    """The values of these options, with the contents of the files."""

    file: Path | None
    """The file of the credentials."""
    credentials: Credentials | None
    trust: tuple[Trusted, ...]
    require: bool
    expect: Expect | None

    def start(self, *, require: bool) -> None:
        """Start GNS with them.

        Args:
            require: Whether peers must be authenticated, if the options say so.

        Raises:
            CommandError: A certificate cannot be presented or trusted.
            GNSError: GNS or the system refused.
        """
        try:
            gns_py.start(
                certificate=self.credentials,
                trust=[each.certificate for each in self.trust],
                require_authentication=self.require and require,
            )
        except CertificateRefused as error:
            numbered = re.fullmatch(r"certificate (\d+): (.*)", str(error), re.DOTALL)
            file, text = (self.trust[int(numbered[1])].file, numbered[2]) if numbered else (self.file, str(error))
            raise CommandError(f"{file}: {text}") from None


def add_options(parser: Parser, *, expect: bool) -> None:
    """Add the options to a command.

    Args:
        parser: The command's parser.
        expect: Whether it connects, and so can expect a certain server.
    """
    group = parser.add_argument_group("authentication", "See `gns-py certs` for how to make the files.")
    group.add_argument(
        "--cert", type=Path, metavar="FILE", help="a certificate and its private key, to prove who this is"
    )
    group.add_argument(
        "--password-file", type=Path, metavar="FILE", help="read the password of that private key from a file"
    )
    group.add_argument(
        "--trust",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="certificates of authorities to trust; can be repeated",
    )
    group.add_argument(
        "--require-authentication",
        action="store_true",
        help="refuse peers without a certificate from an authority that is trusted",
    )
    if expect:
        group.add_argument("--expect", type=identity, metavar="IDENTITY", help="refuse other servers, as in str:eu-1")
        group.add_argument(
            "--expect-key",
            type=_key,
            action="append",
            default=[],
            metavar="HEX",
            help="refuse servers without this public key; can be repeated, for one of several",
        )
    parser.set_defaults(expect=None, expect_key=[], wrong_usage=parser.error)


def read_options(options: argparse.Namespace) -> Authentication:
    """Check these options, and read the files.

    Raises:
        SystemExit: Some of them make no sense without others.
        CommandError: A file does not have what is wanted.
        OSError: A file cannot be read.
    """
    if not options.trust:
        if options.cert is not None:
            options.wrong_usage("--cert needs --trust, with the certificate of the authority that has issued it")
        if options.require_authentication:
            options.wrong_usage("--require-authentication refuses everyone without --trust")
        if options.expect is not None and not options.expect_key:
            options.wrong_usage("--expect needs --trust or --expect-key: nothing else proves an identity")
    if options.password_file is not None and options.cert is None:
        options.wrong_usage("--password-file needs --cert")
    trust = tuple(Trusted(path, each) for path in options.trust for each in read_certificates(path))
    expect = None
    if options.expect is not None or options.expect_key:
        expect = Expect(options.expect, options.expect_key)
    return Authentication(options.cert, _credentials(options), trust, options.require_authentication, expect)


def proof(info: ConnectionInfo, expect: Expect | None = None) -> str:
    """Return in words what a peer has proved; "" for nothing."""
    if info.authenticated:
        return f"authenticated as {printable(info.identity)}"
    if expect is not None and expect.keys:  # GNS has refused all other keys
        return "has the key that is expected"
    return ""


def _credentials(options: argparse.Namespace) -> Credentials | None:
    if options.cert is None:
        return None
    password = None
    if options.password_file is not None:
        password = options.password_file.read_text(encoding="utf-8").rstrip("\r\n")
    try:
        return Credentials.load(options.cert, password)
    except (ImportError, ValueError) as error:
        raise CommandError(f"{options.cert}: {error}") from None


def _key(text: str) -> bytes:
    try:
        return Expect(keys=[text]).keys[0]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
