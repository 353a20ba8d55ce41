"""A program: imports modules in the order of its arguments, then uses all of them at once, and gns_py throughout.

    python together.py CERTIFICATE KEY MODULE...

The certificate is a self-signed one for localhost. From the word "global" among the modules on, each module offers its
symbols to all later ones. If everything works, the exit code is 0 and nothing is printed.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

ROUNDS = 10
TIMEOUT = 30.0
PAYLOAD = bytes(range(256)) * 80
# Bytes a second, so that GNS's own limit does not set the pace.
RATE = 30_000_000

Use = Callable[[], AbstractContextManager[Callable[[], object]]]


@contextmanager
def use_gns() -> Iterator[Callable[[], object]]:
    """Echo encrypted messages over loopback."""
    gns_py = importlib.import_module("gns_py")
    gns = importlib.import_module("gns_py.sync")

    def handler(connection: Any) -> None:
        for data in connection:
            connection.send(data)

    fast = gns_py.Config(send_rate_min=RATE, send_rate_max=RATE)
    with (
        gns.serve(handler, "127.0.0.1", 0, config=fast) as server,
        gns.connect(*server.address, timeout=TIMEOUT, config=fast) as connection,
    ):
        assert not connection.info().flags & gns_py.InfoFlags.UNENCRYPTED

        def echo() -> None:
            connection.send(PAYLOAD, nagle=False)
            assert connection.recv(timeout=TIMEOUT) == PAYLOAD

        yield echo


@contextmanager
def use_ssl() -> Iterator[Callable[[], object]]:
    """Do verified TLS handshakes, with a message each, with the OpenSSL of Python."""
    ssl = importlib.import_module("ssl")
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(*sys.argv[1:3])
    client_context = ssl.create_default_context(cafile=sys.argv[1])

    def shake_hands() -> None:
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = client_context.wrap_bio(to_client, to_server, server_hostname="localhost")
        server = server_context.wrap_bio(to_server, to_client, server_side=True)
        pending = [client, server]
        while pending:
            for end in tuple(pending):
                with suppress(ssl.SSLWantReadError):
                    end.do_handshake()
                    pending.remove(end)
        client.write(b"hello")
        assert server.read() == b"hello"

    yield shake_hands


@contextmanager
def use_cryptography() -> Iterator[Callable[[], object]]:
    """Do what GNS does, with another OpenSSL: X25519, a derived key, AES-256-GCM, Ed25519."""
    asymmetric = "cryptography.hazmat.primitives.asymmetric"
    x25519 = importlib.import_module(f"{asymmetric}.x25519")
    ed25519 = importlib.import_module(f"{asymmetric}.ed25519")
    hashes = importlib.import_module("cryptography.hazmat.primitives.hashes")
    hkdf = importlib.import_module("cryptography.hazmat.primitives.kdf.hkdf")
    aead = importlib.import_module("cryptography.hazmat.primitives.ciphers.aead")

    def exchange() -> None:
        ours, theirs = x25519.X25519PrivateKey.generate(), x25519.X25519PrivateKey.generate()
        secrets = {ours.exchange(theirs.public_key()), theirs.exchange(ours.public_key())}
        assert len(secrets) == 1
        key = hkdf.HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=None).derive(secrets.pop())
        cipher, nonce = aead.AESGCM(key), os.urandom(12)
        assert cipher.decrypt(nonce, cipher.encrypt(nonce, PAYLOAD, b"more"), b"more") == PAYLOAD
        signer = ed25519.Ed25519PrivateKey.generate()
        signer.public_key().verify(signer.sign(PAYLOAD), PAYLOAD)

    yield exchange


@contextmanager
def use_grpc() -> Iterator[Callable[[], object]]:
    """Make calls over TLS with grpc's own BoringSSL, its own abseil and its own threads."""
    grpc = importlib.import_module("grpc")
    certificate, key = (Path(each).read_bytes() for each in sys.argv[1:3])
    method = grpc.unary_unary_rpc_method_handler(lambda request, _context: request[::-1])
    with ThreadPoolExecutor(2) as workers:
        server = grpc.server(workers)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", {"Reverse": method}),))
        port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials([(key, certificate)]))
        server.start()
        try:
            with grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(certificate)) as channel:
                reverse = channel.unary_unary("/test/Reverse")

                def call() -> None:
                    assert reverse(PAYLOAD, timeout=TIMEOUT) == PAYLOAD[::-1]

                yield call
        finally:
            server.stop(None).wait()


@contextmanager
def use_protobuf() -> Iterator[Callable[[], object]]:
    """Encode and decode a message in the implementation that was asked for; protobuf's own choice is upb."""
    implementation = importlib.import_module("google.protobuf.internal.api_implementation")
    assert implementation.Type() == os.environ.get("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "upb")
    struct_pb2 = importlib.import_module("google.protobuf.struct_pb2")
    json_format = importlib.import_module("google.protobuf.json_format")
    content = {"name": "gns_py", "numbers": [1.0, 2.5, -3.0], "inside": {"yes": True, "nothing": None}}

    def round_trip() -> None:
        message = struct_pb2.Struct()
        message.update(content)
        again = struct_pb2.Struct.FromString(message.SerializeToString())
        assert again == message
        assert json_format.MessageToDict(again) == content

    yield round_trip


@contextmanager
def use_grpc_tools() -> Iterator[Callable[[], object]]:
    """Run protoc in this process: all of C++ protobuf, of a version different from ours."""
    protoc = importlib.import_module("grpc_tools.protoc")
    Path("numbers.proto").write_text('syntax = "proto3"; message Numbers { map<string, int64> numbers = 1; }')
    descriptors = Path("numbers.binpb")

    def compile_schema() -> None:
        descriptors.unlink(missing_ok=True)
        assert protoc.main(["protoc", "-I.", f"--descriptor_set_out={descriptors}", "numbers.proto"]) == 0
        assert b"numbers" in descriptors.read_bytes()

    yield compile_schema


@contextmanager
def use_numpy() -> Iterator[Callable[[], object]]:
    """Do linear algebra in the threads of its BLAS."""
    numpy = importlib.import_module("numpy")
    random = numpy.random.default_rng(1)
    matrix, vector = random.random((100, 100)) + 100 * numpy.eye(100), random.random(100)

    def solve() -> None:
        assert numpy.allclose(matrix @ numpy.linalg.solve(matrix, vector), vector)
        assert numpy.allclose(numpy.fft.ifft(numpy.fft.fft(vector)), vector)

    yield solve


@contextmanager
def use_uvloop() -> Iterator[Callable[[], object]]:
    """Run gns_py.asyncio in its loop."""
    uvloop = importlib.import_module("uvloop")
    gns = importlib.import_module("gns_py.asyncio")

    async def handler(connection: Any) -> None:
        async for data in connection:
            connection.send(data)

    async def echo() -> None:
        fast = gns.Config(send_rate_min=RATE, send_rate_max=RATE)
        async with (
            gns.serve(handler, "127.0.0.1", 0, config=fast) as server,
            gns.connect(*server.address, timeout=TIMEOUT, config=fast) as connection,
        ):
            connection.send(PAYLOAD, nagle=False)
            assert await connection.recv() == PAYLOAD

    def run() -> None:
        loop = uvloop.new_event_loop()
        try:
            loop.run_until_complete(asyncio.wait_for(echo(), TIMEOUT))
        finally:
            loop.close()

    yield run


USES: dict[str, Use] = {
    "gns_py": use_gns,
    "ssl": use_ssl,
    "cryptography.hazmat.bindings._rust": use_cryptography,
    "grpc": use_grpc,
    "google.protobuf.message": use_protobuf,
    "grpc_tools.protoc": use_grpc_tools,
    "numpy": use_numpy,
    "uvloop": use_uvloop,
}


def use_all(uses: list[Callable[[], object]]) -> None:
    """Run each in a thread of its own, over and over, until the slowest has done its rounds."""
    start = threading.Barrier(len(uses))
    done = [0] * len(uses)
    failed = threading.Event()

    def repeat(number: int) -> None:
        start.wait(TIMEOUT)
        try:
            while min(done) < ROUNDS and not failed.is_set():
                uses[number]()
                done[number] += 1
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(len(uses)) as threads:
        for each in [threads.submit(repeat, number) for number in range(len(uses))]:
            each.result()


def main() -> None:
    uses = []
    for argument in sys.argv[3:]:
        if argument == "global":
            sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)
        else:
            importlib.import_module(argument)
            uses.append(USES[argument])
    with ExitStack() as stack:
        use_all([stack.enter_context(use()) for use in uses])


if __name__ == "__main__":
    main()
