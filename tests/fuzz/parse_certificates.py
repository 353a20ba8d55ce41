"""Fuzz the parsers of certificates, guided by coverage, with atheris, which is libFuzzer.

    python tests/fuzz/parse_certificates.py CORPUS [-max_total_time=SECONDS] [-artifact_prefix=FOLDER/] ...

The test vectors are first written to the folder CORPUS. The first input that a parser reads in another way than
protobuf, or refuses with another exception than MalformedCertificate, ends the program with an error and is written to
a file.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import atheris

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

with atheris.instrument_imports(include=["gns_py.certs"]):
    from support.certificate_vectors import VECTORS, assert_agrees_with_protobuf

    from gns_py.certs import Certificate, CertificateRequest, Credentials, MalformedCertificate, PrivateKeyError
    from gns_py.certs.format import Signed


def try_one(data: bytes) -> None:
    with contextlib.suppress(MalformedCertificate):
        assert_agrees_with_protobuf(Signed.parse(data).contents)
        certificate = Certificate(data)
        assert Certificate(bytes(certificate)) == certificate
        assert Certificate.parse(certificate.pem()) == certificate
        assert repr(certificate).isprintable()
    with contextlib.suppress(MalformedCertificate):
        request = CertificateRequest.parse(data)
        assert CertificateRequest.parse(request.encode()) == request
    assert_agrees_with_protobuf(data)
    with contextlib.suppress(MalformedCertificate, PrivateKeyError):
        Credentials.parse(data.decode(errors="replace"))


def main() -> None:
    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, vector in enumerate(VECTORS["certificates"] + VECTORS["requests"] + VECTORS["malformed"]):
        (corpus / f"vector-{number}").write_bytes(bytes.fromhex(vector["bytes"]))
    for number, vector in enumerate(VECTORS["texts"] + VECTORS["private_keys"]):
        (corpus / f"text-{number}").write_text(vector["pem"])
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
