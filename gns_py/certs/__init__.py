"""Certificates that prove to GNS who a peer is, and a certificate authority that anyone can run.

To read certificates needs nothing else. To sign and to verify them needs the library cryptography:
``pip install 'gns-py[certs]'``.
"""

from .authority import Authority
from .certificate import Certificate
from .credentials import Credentials
from .entries import Issued, Revocation
from .errors import CertificateError, Check, MalformedCertificate, PrivateKeyError
from .expect import Expect
from .format import CertificateRequest, key_id
from .renewal import Renewal
from .schedule import CertificateExpired, CertificateExpiring, CertificateRenewed, RenewalFailed
from .verification import Verified, verify, verify_authority

__all__ = [
    "Authority",
    "Certificate",
    "CertificateError",
    "CertificateExpired",
    "CertificateExpiring",
    "CertificateRenewed",
    "CertificateRequest",
    "Check",
    "Credentials",
    "Expect",
    "Issued",
    "MalformedCertificate",
    "PrivateKeyError",
    "Renewal",
    "RenewalFailed",
    "Revocation",
    "Verified",
    "key_id",
    "verify",
    "verify_authority",
]
