"""A connection to a WebSocket signalling server, from opening it to being logged in."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from ...certs import Credentials, keys
from . import websockets_library
from .checks import check_timeout
from .errors import Refusal, SignallingRefused, SignallingUnavailable, refusal_of
from .fields import WireError
from .wire import (
    FROM_SERVER,
    MAX_FROM_SERVER,
    Challenge,
    Error,
    HelloCertificate,
    HelloToken,
    Message,
    Methods,
    VersionError,
    Welcome,
    decode,
    proof,
)
from .within import within

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

TokenSource: TypeAlias = "str | Callable[[], str | Awaitable[str]]"
CredentialsSource: TypeAlias = "Credentials | Callable[[], Credentials | Awaitable[Credentials]]"

# Seconds. A client whose address has changed notices within twice this that its connection is dead; until then,
# sessions that have lost their routes find no others.
_KEEP_ALIVE = 5.0
_CLOSING = 2.0


class Dialer:
    """Opens connections to one server, and logs in.

    Args:
        url: The URL.
        token: The token, or what returns one.
        credentials: The certificate and its key, or what returns them.
        server_name: The name that the server must have for a login by certificate; None for the host in the URL.
        ssl: The context for wss://.
        timeout: The seconds that it may take.

    Raises:
        TypeError: A value is of another type.
        ValueError: The URL is not one, or there is not exactly one way to log in, or the timeout is out of range.
        ImportError: The library websockets is not installed; or cryptography, for credentials.
    """

    def __init__(
        self,
        url: str,
        token: TokenSource | None,
        credentials: CredentialsSource | None,
        server_name: str | None,
        ssl: SSLContext | None,
        timeout: float,
    ) -> None:
        websockets_library.check()
        host = host_of(url)
        check_timeout(timeout)
        if (token is None) == (credentials is None):
            raise ValueError("a login needs either token=... or credentials=...")
        if token is not None and not (isinstance(token, str) or callable(token)):
            raise TypeError(f"the token must be a str or a function, not {type(token).__name__}")
        if credentials is not None:
            if not (isinstance(credentials, Credentials) or callable(credentials)):
                raise TypeError(f"credentials must be Credentials or a function, not {type(credentials).__name__}")
            if not keys.can_compute():
                raise ImportError("a login by certificate needs cryptography: pip install 'gns-py[certs]'")
        if ssl is not None and not url.startswith("wss:"):
            raise ValueError("ssl=... is for wss:// alone")
        self._url = url
        self._token = token
        self._credentials = credentials
        self._server_name = host if server_name is None else server_name
        self._options: dict[str, Any] = {} if ssl is None else {"ssl": ssl}
        self._timeout = timeout

    async def connect(self) -> tuple[ClientConnection, Welcome]:
        """Return a connection that is logged in, and the server's welcome.

        Raises:
            SignallingRefused: The server refuses the client.
            SignallingUnavailable: The server cannot be reached, or does not answer, or not in this protocol.
        """
        from websockets.exceptions import ConnectionClosed, WebSocketException

        proven = await self._prepared()
        opened: list[ClientConnection] = []
        try:
            welcome = await within(self._timeout, self._connect(proven, opened))
        except BaseException as error:
            for each in opened:
                await give_up(each)
            match error:
                case SignallingRefused() | SignallingUnavailable():
                    raise
                case TimeoutError():
                    text = f"{self._url} did not answer within {self._timeout:g} s"
                case ConnectionClosed():
                    text = f"{self._url} has closed the connection: {error}"
                case WireError():
                    text = f"{self._url} does not speak this protocol: {error}"
                case OSError() | EOFError() | WebSocketException():
                    text = f"{self._url} cannot be reached: {str(error) or type(error).__name__}"
                case _:
                    raise
            raise SignallingUnavailable(text) from error
        return opened[0], welcome

    async def _prepared(self) -> str | Credentials:
        """Ask the application for what proves the identity, before the server's time to log in begins."""
        source = self._token if self._token is not None else self._credentials
        found: Any = source() if callable(source) else source
        if inspect.isawaitable(found):
            found = await found
        wanted = str if self._token is not None else Credentials
        if not isinstance(found, wanted):
            raise TypeError(f"the function must return a {wanted.__name__}, not {type(found).__name__}")
        if isinstance(found, str):
            try:
                HelloToken(found).encode()
            except WireError as error:
                raise ValueError(f"the token: {error}") from None
        return found

    async def _connect(self, proven: str | Credentials, opened: list[ClientConnection]) -> Welcome:
        """Return the welcome. The connection is put into the list, for it to be closed if this is cancelled."""
        from websockets.asyncio.client import connect

        connection = await connect(
            self._url,
            compression=None,
            max_size=MAX_FROM_SERVER,
            max_queue=16,
            open_timeout=self._timeout,
            ping_interval=_KEEP_ALIVE,
            ping_timeout=_KEEP_ALIVE,
            close_timeout=_CLOSING,
            logger=websockets_library.silent_logger(),
            **self._options,
        )
        opened.append(connection)
        return await self._log_in(connection, proven)

    async def _log_in(self, connection: ClientConnection, proven: str | Credentials) -> Welcome:
        try:
            challenge = await receive(connection)
        except VersionError as error:
            raise SignallingRefused(Refusal.VERSION, str(error)) from None
        if isinstance(challenge, Error):
            raise refused(challenge)
        if not isinstance(challenge, Challenge):
            raise WireError(f"{type(challenge).__name__} is not a challenge")
        await connection.send(self._hello(challenge, proven).encode())
        answer = await receive(connection)
        if isinstance(answer, Error):
            raise refused(answer)
        if not isinstance(answer, Welcome):
            raise WireError(f"{type(answer).__name__} is not a welcome")
        if isinstance(proven, Credentials) and answer.identity != proven.identity:
            raise WireError("the server welcomes another identity than the certificate's")
        return answer

    def _hello(self, challenge: Challenge, proven: str | Credentials) -> Message:
        if isinstance(proven, str):
            if Methods.TOKEN not in challenge.methods:
                raise SignallingRefused(Refusal.NOT_AUTHENTICATED, "the server takes no tokens")
            return HelloToken(proven)
        if Methods.CERTIFICATE not in challenge.methods:
            raise SignallingRefused(Refusal.NOT_AUTHENTICATED, "the server takes no certificates")
        if challenge.server.casefold() != self._server_name.casefold():  # another could use what is signed for it
            text = f"the server's name is {challenge.server!r}, and not {self._server_name!r}"
            raise SignallingRefused(Refusal.NOT_AUTHENTICATED, text)
        signature = keys.sign(proven.private_key, proof(challenge.server, challenge.nonce))
        return HelloCertificate(bytes(proven.certificate), signature)


async def receive(connection: ClientConnection) -> Message:
    """Return the next message of a server.

    Raises:
        WireError: It is malformed, or not a server's.
        ConnectionClosed: The connection has ended.
    """
    data = await connection.recv()
    if isinstance(data, str):
        raise WireError("messages are binary")
    message = decode(data)
    if message.KIND not in FROM_SERVER:
        raise WireError(f"{type(message).__name__} is not a server's message")
    return message


def refused(error: Error) -> SignallingRefused:
    """Return the exception for an ERROR that ends the connection."""
    return SignallingRefused(refusal_of(error.reason), error.text)


def host_of(url: str) -> str:
    """Return the host in the URL of a WebSocket server.

    Raises:
        TypeError: The URL is not a str.
        ValueError: It is not such a URL.
    """
    if not isinstance(url, str):
        raise TypeError(f"the URL must be a str, not {type(url).__name__}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # the port is checked when it is read
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("ws", "wss") or parts.fragment or parts.username is not None:
        raise ValueError(f'{url!r} is not the URL of a WebSocket server, like "wss://sig.example.org"')
    return host


@contextlib.asynccontextmanager
async def closing(connection: ClientConnection) -> AsyncIterator[None]:
    """Close a connection at the end of the block, or give it up if it cannot be closed soon."""
    try:
        yield
    finally:
        try:
            with contextlib.suppress(TimeoutError):
                await within(_CLOSING, connection.close())
        finally:
            await give_up(connection)


async def give_up(connection: ClientConnection) -> None:
    """Close a connection without the server's consent, if it is not closed."""
    connection.transport.abort()
    await connection.wait_closed()
