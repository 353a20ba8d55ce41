"""The login service: whoever has logged in gets a certificate of the identity that the service knows.

python service.py FOLDER SERVER LIFETIME      what run.py has made, the game server's address, seconds
"""

import asyncio
import hashlib
import json
import socket
import sys
import time
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gns_py.certs import Authority, Certificate, CertificateError, MalformedCertificate

FOLDER, SERVER, LIFETIME = Path(sys.argv[1]), sys.argv[2], timedelta(seconds=float(sys.argv[3]))
LARGEST, A_MINUTE = 8 * 1024, 20
AUTHORITY = Authority.load(FOLDER / "authority")
GAME = Certificate.load(FOLDER / "game.cert")
ACCOUNTS = json.loads((FOLDER / "accounts.json").read_text())  # the names, by the SHA-256 of their login tokens
# A service with several processes keeps this in its database.
times: defaultdict[str, list[float]] = defaultdict(list)


def logged_in(request: Request) -> str:
    """Return the name of the player who has logged in. The request says nothing else that counts."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    name = ACCOUNTS.get(hashlib.sha256(token.encode()).hexdigest())
    if kind.lower() != "bearer" or name is None:
        raise HTTPException(401, "the token is not valid", {"WWW-Authenticate": "Bearer"})
    times[name] = [each for each in times[name] if each > time.monotonic() - 60.0]
    if len(times[name]) >= A_MINUTE:
        raise HTTPException(429, "too many requests", {"Retry-After": "60"})
    times[name].append(time.monotonic())
    return str(name)


async def body(request: Request) -> bytes:
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > LARGEST:
            raise HTTPException(413, f"a request has at most {LARGEST} bytes")
    return data


async def certificate(request: Request) -> Response:
    """Sign the key in the request, for the name that the token belongs to."""
    name = logged_in(request)
    identity = f"str:player:{name}"
    asked = await body(request)
    try:
        # In a thread: it reads and writes the authority's lists of what it has issued.
        made = await asyncio.to_thread(AUTHORITY.sign_request, asked, identity=identity, lifetime=LIFETIME)
    except MalformedCertificate as error:
        raise HTTPException(400, str(error)) from None
    except CertificateError as error:  # the key was revoked, or is another player's
        raise HTTPException(403, str(error)) from None
    print(f"signed key {made.key_id} for {identity}", flush=True)
    answer = {
        "certificate": made.pem(),
        "trust": [each.pem() for each in AUTHORITY.trust],
        "expires": made.expires.isoformat(),
        "server": {"address": SERVER, "identity": str(GAME.identity), "key": GAME.key.hex()},
    }
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


async def refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


app = Starlette(
    routes=[Route("/certificate", certificate, methods=["POST"])], exception_handlers={HTTPException: refuse}
)

if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    print(f"listening on https://127.0.0.1:{listening.getsockname()[1]}/certificate", flush=True)
    https = uvicorn.Config(app, ssl_certfile=FOLDER / "https.pem", log_level="warning")
    uvicorn.Server(https).run(sockets=[listening])
