"""Start a login service, a game server, two players and four impostors. The players get in, and no one else.

python run.py [--lifetime SECONDS]      needs gns-py[certs], starlette, uvicorn and trustme
"""

import argparse
import contextlib
import hashlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import trustme

from gns_py.certs import Authority

HERE = Path(__file__).parent


class Program:
    """A program of this folder, which runs until its end, or to that of the block."""

    def __init__(self, name: str, file: str, *arguments: object, token: str = "") -> None:
        self.name, self.said = name, ""
        self._process = subprocess.Popen(
            [sys.executable, HERE / file, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "LOGIN_TOKEN": token, "NO_PROXY": "127.0.0.1"},
        )

    def line(self) -> str:
        """Print and return the next line that it prints; an empty one at its end."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            self.said += line
            print(f"{self.name:>11}  {line}", end="", flush=True)
        return line

    def address(self) -> str:
        """Return the address that it listens on."""
        _, listens, address = self.line().rstrip().partition("listening on ")
        if not listens:
            self.end()
            raise SystemExit(f"the {self.name} has not started")
        return address

    def end(self) -> int:
        """Wait for its end, and return its exit code."""
        with self._process:
            while self.line():
                pass
        return self._process.returncode

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()


def prepare(folder: Path) -> dict[str, str]:
    """Make all that is there before the first player logs in, and return the players' login tokens."""
    authority = Authority.create()
    game = authority.issue("str:server:eu-1")
    authority.save(folder / "authority")
    game.save(folder / "game.gns")
    game.certificate.save(folder / "game.cert")
    web = trustme.CA()
    web.cert_pem.write_to_path(folder / "web.pem")
    web.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "https.pem")
    tokens = {name: secrets.token_urlsafe() for name in ("alice", "bob", "mallory")}
    accounts = {hashlib.sha256(token.encode()).hexdigest(): name for name, token in tokens.items()}
    (folder / "accounts.json").write_text(json.dumps(accounts))
    return tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lifetime", type=float, default=5.0, help="of the players' certificates, in seconds")
    lifetime = parser.parse_args().lifetime
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(8) as pool, contextlib.ExitStack() as stack:

        def start(*arguments: object, token: str = "") -> Program:
            return stack.enter_context(Program(*map(str, arguments), token=token))

        folder = Path(name)
        tokens = prepare(folder)
        game = start("game server", "server.py", folder / "game.gns", folder / "authority" / "ca.cert")
        address = game.address()
        service = start("service", "service.py", folder, address, lifetime)
        login = service.address(), folder / "web.pem"
        for server in (game, service):
            pool.submit(server.end)
        players = [start(each, "player.py", each, *login, token=tokens[each]) for each in ("alice", "bob")]
        impostors = {
            start("impostor 1", "impostor.py", address): "str:player:alice has no certificate",
            start("impostor 2", "impostor.py", address, "--own-authority"): "is not known to us",
            start("impostor 3", "player.py", "alice", *login, token=tokens["mallory"]): "you are str:player:mallory",
            start("impostor 4", "player.py", "alice", *login, token="a guess"): "401, the token is not valid",
        }
        clients = [*players, *impostors]
        codes = dict(zip(clients, pool.map(Program.end, clients, timeout=60.0), strict=True))
    let_in = sorted(line.split(",")[0] for line in game.said.splitlines() if line.endswith(" is here"))
    refused = [each for each, text in impostors.items() if codes[each] == 1 and text in each.said]
    print(f"{len(refused)} of {len(impostors)} impostors were refused", flush=True)
    sys.exit(
        any(codes[player] != 0 for player in players)
        or len(refused) < len(impostors)
        or let_in != ["str:player:alice"] * 2 + ["str:player:bob"] * 2
    )


if __name__ == "__main__":
    main()
