"""Certificates: which are trusted, and the one that this process presents; and what peers must prove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .._generated.enums import ConfigScope
from .failures import check
from .library import ffi, lib
from .text import text_of


class PeerPolicy(NamedTuple):
    """A demand on peers, which they must meet in the handshake."""

    identity: str = ""
    """Empty for any."""
    keys: tuple[bytes, ...] = ()
    """Public keys, of which it must have one; empty for any."""
    authenticated: bool | None = None
    """True: a trusted certificate must prove its identity. None: as for the whole process."""


class PresentedCertificate(NamedTuple):
    """The certificate that this process presents."""

    identity: str
    key: bytes
    """The public key."""
    key_id: int
    issuer_key_id: int
    created: int
    """Seconds since 1970; 0 if the certificate does not say."""
    expires: int
    """Seconds since 1970."""


def set_trust(certificates: Sequence[bytes]) -> None:
    """Trust these roots and intermediates, and no others. Where one is refused, all is as before."""
    set_authentication(trust=certificates)


def set_revoked(key_ids: Sequence[int]) -> None:
    """Revoke these keys, and no others."""
    check(lib.gns_revoke_set(list(key_ids), len(key_ids)))


def certificate_request() -> bytes:
    """Return a request for a certificate of this process's key, which is made if there is none."""
    size = 1024
    out = ffi.new("char[]", size)
    return bytes(ffi.buffer(out, check(lib.gns_certificate_request(out, size))))


def set_certificate(certificate: bytes, private_key: bytes | None) -> None:
    """Present a certificate from now on. Without a private key it must be for the key that is there already."""
    set_authentication(certificate=(certificate, private_key))


def set_authentication(
    certificate: tuple[bytes, bytes | None] | None = None,
    trust: Sequence[bytes] | None = None,
    policy: PeerPolicy | None = None,
) -> None:
    """Set what is not None, in one step: the certificate, what is trusted, and what all peers must prove.

    Where one is refused, all is as before.
    """
    wanted = ffi.new("gns_authentication *")
    wanted.trust_count = wanted.certificate_size = -1
    keep: list[Any] = []  # until the core has copied it

    def kept(data: Any) -> Any:
        keep.append(data)
        return data

    if trust is not None:
        wanted.trust = kept(ffi.new("void *[]", [kept(ffi.from_buffer(each)) for each in trust]))
        wanted.trust_sizes = kept(ffi.new("int32_t[]", [len(each) for each in trust]))
        wanted.trust_count = len(trust)
    if certificate is not None:
        data, private_key = certificate
        wanted.certificate, wanted.certificate_size = kept(ffi.from_buffer(data)), len(data)
        if private_key is not None:
            wanted.key, wanted.key_size = kept(ffi.from_buffer(private_key)), len(private_key)
    wanted.policy = kept(policy_struct(policy))[0]
    check(lib.gns_authentication_set(wanted))


def presented_certificate() -> PresentedCertificate | None:
    """Return the certificate that this process presents, or None."""
    out = ffi.new("gns_certificate *")
    if not check(lib.gns_certificate_info(out)):
        return None
    return PresentedCertificate(
        text_of(out.identity), bytes(out.key), out.key_id, out.issuer_key_id, out.created, out.expires
    )


def set_policy(scope: ConfigScope, handle: int, policy: PeerPolicy | None) -> None:
    """Set what later peers must prove, to the process or to a listen socket."""
    native, keep = policy_struct(policy)
    check(lib.gns_peer_policy_set(scope, handle, native))
    del keep


def policy_struct(policy: PeerPolicy | None) -> tuple[Any, object]:
    """Return a policy as the core takes it, or NULL, and what must be kept until the core has copied it."""
    if policy is None:
        return ffi.NULL, None
    native = ffi.new("gns_peer_policy *")
    identity = policy.identity.encode()
    buffers = ffi.from_buffer(identity), ffi.from_buffer(b"".join(policy.keys))
    native.identity, native.identity_size = ffi.cast("char *", buffers[0]), len(identity)
    native.keys, native.key_count = ffi.cast("uint8_t *", buffers[1]), len(policy.keys)
    native.authenticated = -1 if policy.authenticated is None else policy.authenticated
    return native, buffers
