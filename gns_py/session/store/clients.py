"""Clients of redis-py for the three ways in which a Valkey or Redis is run, and what their exceptions mean.

Nothing here retries or has a time limit for answers: ValkeyStore does both, for an operation as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

try:
    import redis.asyncio
    from redis import exceptions
    from redis.asyncio.cluster import ClusterNode, RedisCluster
    from redis.asyncio.retry import Retry
    from redis.asyncio.sentinel import Sentinel
    from redis.backoff import NoBackoff
except ImportError as problem:  # pragma: no cover - the tests have it
    raise ImportError("ValkeyStore needs redis-py: pip install 'gns-py[valkey]'") from problem

Client = Any
"""A client of redis.asyncio: Redis or RedisCluster."""
Factory = Callable[[], Client]

NoScript = exceptions.NoScriptError
PROBLEMS: tuple[type[Exception], ...] = (exceptions.RedisError, exceptions.RedisClusterException, OSError)
"""The exceptions that a call can raise."""

_DENIED = (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError)
_BRIEF = (
    exceptions.ConnectionError,  # LOADING, too many clients or connections
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.ClusterError,  # CLUSTERDOWN, MASTERDOWN
    exceptions.RedisClusterException,  # no node answers, or none has the slot
    exceptions.TryAgainError,
    exceptions.AskError,  # MOVED
    OSError,
)
# redis-py has no types for these. Of a server that is not part of a cluster, has no scripts, or knows no passwords.
_WRONG_SERVER = ("Cluster mode is not enabled", "cluster support disabled", "unknown command", "ERR AUTH")


def single(url: str, timeout: float, settings: Mapping[str, object]) -> Factory:
    """Return a factory of clients for one server.

    Args:
        url: ``valkey://``, ``valkeys://``, ``redis://``, ``rediss://`` or ``unix://``.
        timeout: The seconds for connecting.
        settings: More keyword arguments for the client.
    """
    url = _redis_url(url)
    return lambda: redis.asyncio.from_url(url, **{**_settings(timeout), "retry": Retry(NoBackoff(), 0), **settings})


def sentinel(
    addresses: Sequence[tuple[str, int]], service: str, timeout: float, settings: Mapping[str, object]
) -> Factory:
    """Return a factory of clients for the primary that Sentinel names.

    Args:
        addresses: The Sentinels.
        service: The name of the primary.
        timeout: The seconds for an operation; a Sentinel that hangs gets a part of it.
        settings: More keyword arguments for the client.
    """

    def make() -> Client:
        each = timeout / (len(addresses) + 1)
        asked = {**_settings(each), "socket_timeout": each, "retry": Retry(NoBackoff(), 0)}
        manager: Any = Sentinel(addresses, sentinel_kwargs=asked)  # type: ignore[no-untyped-call]
        return manager.master_for(service, **{**_settings(timeout), "retry": Retry(NoBackoff(), 0), **settings})

    return make


def cluster(addresses: Sequence[tuple[str, int]], timeout: float, settings: Mapping[str, object]) -> Factory:
    """Return a factory of clients for a cluster.

    Args:
        addresses: Some of its nodes.
        timeout: The seconds for connecting.
        settings: More keyword arguments for the client.
    """

    def make() -> Client:
        nodes = [ClusterNode(host, port) for host, port in addresses]
        retry = Retry(NoBackoff(), 1)  # the first attempt may find that the nodes have changed
        return RedisCluster(
            startup_nodes=nodes, require_full_coverage=False, **{**_settings(timeout), "retry": retry, **settings}
        )

    return make


async def close(client: Client) -> None:
    """Close a client, and those with which it asks Sentinels."""
    await client.aclose()
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    for each in getattr(manager, "sentinels", ()):
        await each.aclose()


def is_cluster(client: Client) -> bool:
    """Return whether a client is one of a cluster."""
    return isinstance(client, RedisCluster)


def node_of(client: Client, key: str) -> object:
    """Return what stands for the node that has a key; all keys of one server have the same."""
    return client.get_node_from_key(key).name if is_cluster(client) else None


def is_misconfigured(problem: BaseException | None) -> bool:
    """Return whether an exception lasts until the configuration is changed: the server's, or this program's."""
    while problem is not None:  # a cluster's client hides it
        if isinstance(problem, _DENIED) or any(text in str(problem) for text in _WRONG_SERVER):
            return True
        problem = problem.__cause__
    return False


def is_brief(problem: BaseException) -> bool:
    """Return whether the cause may be over in a moment: a lost connection, a failover, a server that starts.

    It is not for OOM, MISCONF (the disk is full) and NOREPLICAS, for example.
    """
    return isinstance(problem, _BRIEF) and not is_misconfigured(problem)


def _redis_url(url: str) -> str:
    return "redis" + url.removeprefix("valkey") if url.startswith("valkey") else url


def _settings(timeout: float) -> dict[str, Any]:
    return {"socket_connect_timeout": timeout, "socket_timeout": None, "protocol": 2, "decode_responses": False}


async def forget_connections(client: Client) -> None:
    """Close the connections that are not in use, since their server may have lost its part."""
    if not is_cluster(client):
        await client.connection_pool.disconnect(inuse_connections=False)
