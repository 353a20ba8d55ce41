"""TLS for peers that use it. The client does not check the certificate, as GNS without certificates does not."""

from __future__ import annotations

import ssl

import trustme


def certificate() -> trustme.LeafCert:
    return trustme.CA().issue_cert("127.0.0.1")


def server_context(layer: str) -> ssl.SSLContext | None:
    """Return a context for `tls`, with a new certificate, or None for `plain`."""
    if layer == "plain":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate().configure_cert(context)
    return context


def client_context(layer: str) -> ssl.SSLContext | None:
    """Return a context for `tls`, or None for `plain`."""
    if layer == "plain":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
