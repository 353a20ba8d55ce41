"""Kill servers, again and again, while players count: none of them ever miscounts.

python run.py [--players N] [--count N]      needs gns-py[valkey], and valkey-server or redis-server in PATH
"""

import argparse
import contextlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start(program: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, HERE / program, *map(str, arguments)])


def end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--players", type=int, default=3)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--store", default=shutil.which("valkey-server") or shutil.which("redis-server"))
    options = parser.parse_args()
    if options.store is None:
        parser.exit(2, "valkey-server, or redis-server, is not in PATH\n")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        port = free_port(socket.SOCK_STREAM)
        store = subprocess.Popen(
            [options.store, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        stack.callback(end, [store])
        ports = [free_port(socket.SOCK_DGRAM) for _ in range(3)]
        servers = {each: start("server.py", each, f"valkey://127.0.0.1:{port}") for each in ports}
        stack.callback(lambda: end(servers.values()))
        time.sleep(1.0)
        players = [start("client.py", f"player {n + 1}", options.count, *ports) for n in range(options.players)]
        stack.callback(end, players)
        deaths = 0
        while any(player.poll() is None for player in players):
            time.sleep(2.0)
            victim = random.choice(ports)
            servers[victim].send_signal(signal.SIGKILL)
            servers[victim].wait()
            deaths += 1
            print(f"killed the server on port {victim}", flush=True)
            servers[victim] = start("server.py", victim, f"valkey://127.0.0.1:{port}")
        wrong = sum(player.wait() != 0 for player in players)
        print(f"{deaths} servers died, {wrong} of {options.players} players are wrong", flush=True)
        sys.exit(wrong != 0)


if __name__ == "__main__":
    main()
