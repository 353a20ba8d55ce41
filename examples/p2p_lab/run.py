"""Let two peers find each other through NATs of chosen kinds, with a real STUN and TURN server between them.

python run.py NAT NAT        each of none, full, port, symmetric

The network is that of the project's tests, of namespaces on this machine: it runs in a clone of the project, on Linux,
as root or where the system allows user namespaces, with ip, nft and turnserver (coturn).
"""

import argparse
import asyncio
import base64
import pickle
import subprocess
import sys
import time
from pathlib import Path

from gns_py.cli.demo_server import Entry
from gns_py.cli.p2p_demo_peer import DemoPeer, Outcome
from gns_py.p2p import IceServers, Turn
from gns_py.p2p.signalling import LineSignalling, LineSignallingServer

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from support.nat_lab import SERVER, STUN_PORT, Nat, NatLab, why_not

SIGNALLING_PORT = 10000
ADDRESS = f"{SERVER}:{STUN_PORT}"


def send(item: object) -> None:
    """Print an object for the process that started this one, which made it itself, and so may unpickle it."""
    print(base64.b64encode(pickle.dumps(item)).decode(), flush=True)


async def be(role: str) -> None:
    """Be the signalling service or a peer, in a namespace of the laboratory."""
    if role == "service":
        async with LineSignallingServer() as server:
            await server.listen(SERVER, SIGNALLING_PORT)
            send("ready")
            await asyncio.Event().wait()
    servers = IceServers([ADDRESS], [Turn(ADDRESS, "user", "password")])
    async with LineSignalling(SERVER, SIGNALLING_PORT, f"str:{role}") as signalling:
        await DemoPeer(role, send, signalling, servers).run()


def show(program: "subprocess.Popen[str]", begin: float) -> Outcome | None:
    """Print a program's entries until it sends something else."""
    assert program.stdout is not None
    for line in program.stdout:
        match pickle.loads(base64.b64decode(line)):
            case Entry(when, who, text):
                print(f"{when - begin:7.3f} s  {who:<9}{text}", flush=True)
            case Outcome() as outcome:
                return outcome
            case _:
                return None
    raise SystemExit("a program of the laboratory has ended too early")


def play(nat_a: Nat, nat_b: Nat) -> None:
    begin = time.perf_counter()
    with NatLab() as lab:
        lab.put_behind(nat_a, nat_b)
        lab.start_server()
        for place, role in (("internet", "service"), ("b", "bob"), ("a", "alice")):
            outcome = show(lab.start(place, sys.executable, __file__, role), begin)
    assert outcome is not None
    if outcome.failure:
        raise SystemExit(outcome.failure)
    print(
        f"{nat_a.value} and {nat_b.value}: connected after {outcome.connected_after:.2f} s, route {outcome.route}; the"
    )
    print(f"session lost its connection {outcome.drops} time(s), and no message: counted to {outcome.numbers}")


def main() -> None:
    if sys.argv[1] in ("service", "alice", "bob"):
        asyncio.run(be(sys.argv[1]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("a", "b"):
        parser.add_argument(name, choices=[nat.value for nat in Nat], metavar="NAT")
    options = parser.parse_args()
    if reason := why_not():
        parser.exit(1, f"{reason}\n")
    play(Nat(options.a), Nat(options.b))


if __name__ == "__main__":
    main()
