"""``gns-py certs``: a certificate authority, and what its certificates say. Each command has a function of its own."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from .. import Identity
from .._printable import printable
from ..certs import Authority, Certificate, CertificateError, CertificateRequest, verify, verify_authority
from ..certs.authority import CERTIFICATE_FILE
from ..certs.ledger import FolderLedger, revoke
from . import certs_serve
from .arguments import AddParser, Parser, identity, integer, number
from .certs_files import describe, describe_request, read_anything, read_certificates, read_request, show, when
from .output import CommandError, Output

_Run = Callable[[argparse.Namespace, Output], int]
_LONGEST_DAYS = 60 * 365.25


def add_parser(add: AddParser) -> None:
    """Add this command's parser, and those of its own commands."""
    parser = add(
        "certs",
        help="run a certificate authority, and inspect certificates",
        description="A certificate authority in a folder, and certificates that prove to peers who a program is.",
        epilog="Signing and verifying need the library cryptography: pip install 'gns-py[certs]'.",
    )
    commands = parser.add_subparsers(title="commands", dest="certs_command", metavar="COMMAND", required=True)

    def command(name: str, run: _Run, text: str, *, json: bool = True) -> Parser:
        made: Parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if json:
            made.add_argument("--json", action="store_true", help="print JSON, for programs")
        made.set_defaults(run=_reported(run), command=f"certs {name}")
        return made

    _add_init_ca(command("init-ca", _init_ca, "make a new authority, with a root certificate"))
    _add_issue(command("issue", _issue, "issue a certificate to an identity"))
    _add_intermediate(command("intermediate", _intermediate, "make an authority below another one"))
    _add_inspect(command("inspect", _inspect, "show what a certificate, a request or a file of credentials says"))
    _add_verify(command("verify", _verify, "check a certificate"))
    _add_revoke(command("revoke", _revoke, "revoke a key"))
    _add_list(command("list", _list, "list the certificates that are valid, and the keys that were revoked"))
    text = "sign the requests of clients over HTTPS, to develop with; Ctrl-C ends it"
    _add_serve(command("serve", _serve, text, json=False))


# ---- init-ca ---------------------------------------------------------------------------------------------------------


def _add_init_ca(parser: Parser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the new folder: ca.key, ca.cert and lists")
    _add_days(parser, 3650)
    _add_password(parser, "encrypt the key of the authority with a password")


def _init_ca(options: argparse.Namespace, output: Output) -> int:
    authority = Authority.create(lifetime=timedelta(days=options.days))
    authority.save(options.folder, _password(options, new=True))
    facts = describe(authority.certificate)
    _print(options, output, f"{options.folder}: a new authority", facts)
    return 0


# ---- issue -----------------------------------------------------------------------------------------------------------


def _add_issue(parser: Parser) -> None:
    _add_ca(parser)
    parser.add_argument("--identity", type=identity, required=True, help="such as str:alice")
    lifetime = parser.add_mutually_exclusive_group()
    lifetime.add_argument(
        "--hours", type=number(1 / 3600, _LONGEST_DAYS * 24), default=1.0, help="how long it is valid (%(default)g)"
    )
    lifetime.add_argument("--days", type=number(1 / 86400, _LONGEST_DAYS), help="how long it is valid")
    parser.add_argument(
        "--request", type=Path, metavar="FILE", help="a client's request: sign its key instead of making a new one"
    )
    _add_new(parser, "the file to write: certificate and key; with --request, the certificate")
    _add_password(parser, "ask for the password of the authority's key")


def _issue(options: argparse.Namespace, output: Output) -> int:
    _check_new(options.output)
    if not options.output.parent.is_dir():
        raise CommandError(f"{options.output.parent} is not a folder")
    authority = _authority(options)
    lifetime = timedelta(hours=options.hours) if options.days is None else timedelta(days=options.days)
    if options.request is None:
        credentials = authority.issue(options.identity, lifetime=lifetime)
        credentials.save(options.output, _read_password(options.new_password_file))
        certificate = credentials.certificate
    else:
        request = read_request(options.request)
        certificate = authority.sign_request(request, identity=options.identity, lifetime=lifetime)
        certificate.save(options.output)
    _print(options, output, f"{options.output}: a new certificate", describe(certificate))
    return 0


def _check_new(path: Path) -> None:
    """Raise if a file cannot be new, before a certificate is made for it: the authority would keep a note of that."""
    if os.path.lexists(path):
        raise CommandError(f"{path} exists")


# ---- intermediate ----------------------------------------------------------------------------------------------------


def _add_intermediate(parser: Parser) -> None:
    _add_ca(parser)
    _add_days(parser, 365)
    _add_new(parser, "the new authority's folder")
    _add_password(parser, "ask for the password of the authority's key")


def _intermediate(options: argparse.Namespace, output: Output) -> int:
    _check_new(options.output)
    authority = _authority(options).intermediate(lifetime=timedelta(days=options.days))
    authority.save(options.output, _read_password(options.new_password_file))
    _print(options, output, f"{options.output}: a new authority", describe(authority.certificate))
    return 0


# ---- inspect and verify ----------------------------------------------------------------------------------------------


def _add_inspect(parser: Parser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="certificates, credentials or a request")
    _add_trust(parser, required=False)


def _inspect(options: argparse.Namespace, output: Output) -> int:
    found = read_anything(options.file)
    if isinstance(found.value, CertificateRequest):
        _print(options, output, f"{options.file}: a request", describe_request(found.value))
        return 0
    all_facts = []
    for certificate in found.value:
        facts = describe(certificate)
        if options.trust:
            problem = _problem(options, certificate)
            facts["verified"] = problem is None
            if problem is not None:
                facts["problem"] = f"{problem.check.value}: {problem}"
        all_facts.append(facts)
    if options.json:
        print(json.dumps({"certificates": all_facts, "private_key": found.private_key}, indent=2))
        return 0
    for facts in all_facts:
        show(output, str(options.file), facts)
    if found.private_key is not None:
        output.line(f"The file has a private key, {found.private_key}.", "yellow")
    return 0


def _add_verify(parser: Parser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a certificate or credentials")
    _add_trust(parser, required=True)
    parser.add_argument("--identity", type=identity, help="the identity that it must have been issued to")
    parser.add_argument("--app-id", type=integer(0, 2**32 - 1), default=0, help="the application (%(default)s)")
    parser.add_argument(
        "--revoked", type=_key_id, action="append", default=[], metavar="KEYID", help="a key that was revoked"
    )
    parser.add_argument("--ca", type=Path, metavar="DIR", help="an authority whose list of revoked keys counts")


def _verify(options: argparse.Namespace, output: Output) -> int:
    certificate = read_certificates(options.file)[0]
    problem = _problem(options, certificate)
    facts = describe(certificate)
    if options.json:
        result = {"valid": True} if problem is None else {"valid": False, "check": problem.check.value}
        print(json.dumps({**result, "reason": None if problem is None else str(problem), **facts}, indent=2))
    elif problem is None:
        show(output, f"{options.file}: valid", facts)
    else:
        raise CommandError(f"{options.file} is not valid: {problem}")
    return 0 if problem is None else 1


def _problem(options: argparse.Namespace, certificate: Certificate) -> CertificateError | None:
    """Return the check that a certificate does not pass, if any."""
    trust = [each for path in options.trust for each in read_certificates(path)]
    revoked = set(getattr(options, "revoked", ()))
    if getattr(options, "ca", None) is not None:
        revoked |= {each.key_id for each in _ledger(options.ca).revocations()}
    identity = getattr(options, "identity", None)
    try:
        if certificate.is_authority and identity is None:
            verify_authority(certificate, trust=trust, revoked=revoked)
        else:
            app_id = getattr(options, "app_id", 0)
            verify(certificate, trust=trust, revoked=revoked, identity=identity, app_id=app_id)
    except CertificateError as error:
        return error
    return None


# ---- revoke and list -------------------------------------------------------------------------------------------------


def _add_revoke(parser: Parser) -> None:
    _add_ca(parser)
    parser.add_argument(
        "subject", metavar="KEYID|FILE|IDENTITY", help="a key's number, a file with its certificate, or all of a player"
    )


def _revoke(options: argparse.Namespace, output: Output) -> int:
    text: str = options.subject
    subject: int | Identity
    if re.fullmatch(r"(?:ID)?[0-9]{1,20}", text):
        subject = _key_id(text)
    elif Path(text).exists():
        subject = read_certificates(Path(text))[0].key_id
    elif ":" in text:
        subject = Identity.parse(text)
    else:
        raise CommandError(f"{text!r} is not the number of a key, a file, or an identity")
    found = revoke(_ledger(options.ca), subject)
    if options.json:
        print(json.dumps({"revoked": [str(each.key_id) for each in found]}))
    else:
        for each in found:
            output.line(f"revoked: {each.key_id}")
        output.line("Processes notice when they get the new list. Connections that exist go on until closed.", "dim")
    return 0


def _add_list(parser: Parser) -> None:
    _add_ca(parser)


def _list(options: argparse.Namespace, output: Output) -> int:
    ledger = _ledger(options.ca)
    issued = ledger.issued()
    revocations = ledger.revocations()
    if options.json:
        valid = [
            {
                "key_id": str(each.key_id),
                "identity": None if each.identity is None else str(each.identity),
                "created": each.created.isoformat(),
                "expires": each.expires.isoformat(),
            }
            for each in issued
        ]
        revoked = [{"key_id": str(each.key_id), "revoked": each.revoked.isoformat()} for each in revocations]
        print(json.dumps({"issued": valid, "revoked": revoked}, indent=2))
        return 0
    gone = {each.key_id for each in revocations}
    rows = [
        [
            str(each.key_id),
            "an authority" if each.identity is None else printable(str(each.identity)),
            f"{each.expires:%Y-%m-%d %H:%M:%S} UTC",
            "revoked" if each.key_id in gone else "",
        ]
        for each in issued
    ]
    output.table(f"valid: {len(rows)}", ["key id", "identity", "expires", ""], rows)
    output.table(f"revoked: {len(gone)}", ["key id", "at"], [[str(each[0]), when(each[1])] for each in revocations])
    return 0


# ---- serve -----------------------------------------------------------------------------------------------------------


def _add_serve(parser: Parser) -> None:
    _add_ca(parser)
    certs_serve.add_arguments(parser)
    _add_password(parser, "ask for the password of the authority's key")


def _serve(options: argparse.Namespace, output: Output) -> int:
    return certs_serve.serve(_authority(options), options, output)


# ---- arguments -------------------------------------------------------------------------------------------------------


def _add_ca(parser: Parser) -> None:
    parser.add_argument("--ca", type=Path, required=True, metavar="DIR", help="the authority's folder")


def _add_days(parser: Parser, default: int) -> None:
    parser.add_argument(
        "--days",
        type=number(1, _LONGEST_DAYS),
        default=float(default),
        help="how long the authority is valid (%(default)g)",
    )


def _add_new(parser: Parser, text: str) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PATH", help=text)
    parser.add_argument(
        "--new-password-file", type=Path, metavar="FILE", help="encrypt the new key with the password in this file"
    )


def _add_password(parser: Parser, text: str) -> None:
    password = parser.add_mutually_exclusive_group()
    password.add_argument("--password", action="store_true", help=text)
    password.add_argument("--password-file", type=Path, metavar="FILE", help="read that password from a file")


def _add_trust(parser: Parser, *, required: bool) -> None:
    parser.add_argument(
        "--trust",
        type=Path,
        action="append",
        required=required,
        default=None if required else [],
        metavar="FILE",
        help="certificates of authorities to trust; can be repeated",
    )


def _key_id(text: str) -> int:
    if not re.fullmatch(r"(?:ID)?[0-9]{1,20}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a key")
    return int(text.removeprefix("ID"))


# ---- files and errors ------------------------------------------------------------------------------------------------


def _reported(run: _Run) -> _Run:
    """Make a command report the exceptions of certificates as its errors."""

    def reported(options: argparse.Namespace, output: Output) -> int:
        with _command_errors():
            return run(options, output)

    return reported


@contextlib.contextmanager
def _command_errors() -> Iterator[None]:
    try:
        yield
    except (ImportError, ValueError) as error:
        raise CommandError(str(error)) from None


def _authority(options: argparse.Namespace) -> Authority:
    _check_folder(options.ca)
    return Authority.load(options.ca, _password(options))


def _ledger(folder: Path) -> FolderLedger:
    _check_folder(folder)
    return FolderLedger(folder)


def _check_folder(folder: Path) -> None:
    if not (folder / CERTIFICATE_FILE).exists():
        raise CommandError(f"{folder} is not the folder of an authority: it has no {CERTIFICATE_FILE}")


def _password(options: argparse.Namespace, *, new: bool = False) -> str | None:
    if not options.password:
        return _read_password(options.password_file)
    if not sys.stdin.isatty():
        raise CommandError("--password asks at a terminal: use --password-file")
    password = getpass.getpass("Password: ")
    if new and getpass.getpass("Again: ") != password:
        raise CommandError("the passwords differ")
    return password


def _read_password(path: Path | None) -> str | None:
    return None if path is None else path.read_text(encoding="utf-8").rstrip("\r\n")


def _print(options: argparse.Namespace, output: Output, title: str, facts: dict[str, object]) -> None:
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        show(output, title, facts)
