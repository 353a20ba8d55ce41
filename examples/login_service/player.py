"""A player who logs in, plays, and renews the certificate meanwhile.

LOGIN_TOKEN=... python player.py NAME URL CA      the login service, and the authority of its HTTPS certificate
"""

import asyncio
import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from typing import Any

import gns_py
import gns_py.session.asyncio as session
from gns_py.certs import Certificate, Expect, Renewal


class Login:
    """The login service, as a client sees it."""

    def __init__(self, url: str, token: str, authority: str) -> None:
        # The private key is made by GNS, and stays in this process. The request has the public one.
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
        self._request = urllib.request.Request(url, gns_py.request_certificate(), headers)
        self._https = ssl.create_default_context(cafile=authority)
        self.answer: dict[str, Any] = {}

    def fetch(self) -> Certificate:
        """Ask for a certificate, and trust what the service says is to be trusted."""
        with urllib.request.urlopen(self._request, timeout=10.0, context=self._https) as answer:
            self.answer = json.load(answer)
        gns_py.set_trust(map(Certificate.parse, self.answer["trust"]))
        return Certificate.parse(self.answer["certificate"])


async def greet(name: str, login: Login) -> str:
    """Say hello in a new session, and return the answer."""
    server = login.answer["server"]
    expect = Expect(server["identity"], [server["key"]])
    async with session.connect([server["address"]], data=name.encode(), expect=expect) as game:
        game.send(b"hello")
        return (await game.recv()).decode()


async def main(name: str, url: str, authority: str) -> None:
    login = Login(url, os.environ["LOGIN_TOKEN"], authority)
    try:
        first = await asyncio.to_thread(login.fetch)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"the login service refuses: {error.code}, {json.load(error)['error']}") from None
    gns_py.renew(first)
    renewal = Renewal(login.fetch, apply=gns_py.renew, certificate=first)
    renewing = asyncio.create_task(renewal.run())
    try:
        before = await greet(name, login)
        print(before, flush=True)
        while datetime.now(timezone.utc) < first.expires + timedelta(seconds=1) or renewal.certificate is first:
            await asyncio.sleep(0.1)
        print("the first certificate has expired, and there is another one", flush=True)
        after = await greet(name, login)
        print(after, flush=True)
    except session.SessionFailed as error:
        raise SystemExit(f"the game server refuses: {error}") from None
    finally:
        renewing.cancel()
    if after != before:
        raise SystemExit("the game server takes me for another player")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
