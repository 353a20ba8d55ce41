"""The exceptions of certificates."""

from __future__ import annotations

import pickle

import pytest

from gns_py import GNSError
from gns_py.certs import CertificateError, Check, MalformedCertificate, PrivateKeyError


@pytest.mark.parametrize("error", [CertificateError(Check.EXPIRED, "too late"), MalformedCertificate("too short")])
def test_the_check_and_the_text_survive_pickling(error: CertificateError) -> None:
    error.add_note("a note") if hasattr(error, "add_note") else None
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (copy.check, str(copy), copy.__dict__) == (error.check, str(error), error.__dict__)


def test_all_are_gns_errors_and_value_errors() -> None:
    for kind in (CertificateError, MalformedCertificate, PrivateKeyError):
        assert issubclass(kind, GNSError)
        assert issubclass(kind, ValueError)
    assert MalformedCertificate("x").check is Check.FORMAT
