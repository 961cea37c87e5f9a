"""Calls to Redis: one server, the one that Sentinels name, or the nodes of a cluster. Nothing is ever sent twice here.

What a call came to is a value: its replies, ``Refused`` (nothing was done) or ``Unheard`` (nobody knows).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterDownError,
    NoScriptError,
    RedisError,
    ResponseError,
)

from gateway.ledger.redis.scripts import Script

SILENCE_S = 1.0
"""Whoever has said nothing to a listener for so long is asked whether he is there, and has as long to answer."""
AT_ONCE = 12
"""So many conversations with one server are held at once; others wait for their turn."""
CODES = (
    *("OOM", "READONLY", "NOPERM", "NOAUTH", "WRONGPASS"),
    *("LOADING", "MASTERDOWN", "CLUSTERDOWN", "MISCONF", "BUSY", "NOREPLICAS"),
)
"""Words with which Redis says that it did nothing; from inside a script they come in the middle of a sentence."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Redis did nothing. ``reason`` is its own word, such as ``OOM`` or ``READONLY``, without a secret."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unheard:
    """No answer: what was asked may have been done, or may yet be."""

    reason: str


class Call(NamedTuple):
    """One call of a script: ``keys`` share a slot."""

    keys: Sequence[str | bytes]
    args: Sequence[str | bytes]


Outcome = list[Any] | Refused | Unheard
Command = tuple[str | bytes | int, ...]


class Servers(Protocol):
    """Where scripts run."""

    async def run(self, script: Script, calls: Sequence[Call]) -> list[Outcome]:
        """Run a script for each of the calls; one outcome for each."""
        ...

    async def ask(self, *command: str | bytes | int) -> Any:  # noqa: ANN401  (any reply)
        """Send one command. Raises ``RedisError`` or ``OSError``."""
        ...

    async def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """Send many, in order. Raises as ``ask`` does."""
        ...

    def listen(self, channel: str) -> AsyncIterator[bytes]:
        """What is published on a channel, nothing at first: then it is heard. Raises as ``ask`` does."""
        ...

    async def moved(self) -> bool:
        """Whether another server is named than the one that is asked, though that may still answer."""
        ...

    async def renew(self) -> None:
        """Let go of all connections: the server may be another one now."""
        ...

    async def close(self) -> None:
        """Let go for good."""
        ...


def translated(error: BaseException) -> Refused | Unheard:
    """What an error of the library says about the call. Raises what is none."""
    if isinstance(error, (AuthenticationError, AuthorizationError, ClusterDownError, ResponseError)):
        return Refused(word_in(error))
    if isinstance(error, (RedisError, OSError, asyncio.TimeoutError)):
        return Unheard(type(error).__name__)
    raise error


def word_in(error: BaseException) -> str:
    """The word of what Redis says that is a code, without the rest, which may quote what was sent."""
    text = str(error)
    return next((code for code in CODES if code in text), type(error).__name__)


class OneServer:
    """A single server, or the one that Sentinels name."""

    def __init__(self, client: Redis, sentinel: Sentinel | None = None) -> None:
        self._client: Any = client  # half of the library's methods are typed
        self._sentinel: Any = sentinel
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def run(self, script: Script, calls: Sequence[Call]) -> list[Outcome]:
        """See ``Servers``."""
        async with self._turns:
            return [await self._run(script, call) for call in calls]

    async def _run(self, script: Script, call: Call) -> Outcome:
        command = self._client.execute_command
        try:
            try:
                return cast("Outcome", await command("EVALSHA", script.sha, len(call.keys), *call.keys, *call.args))
            except NoScriptError:
                return cast("Outcome", await command("EVAL", script.text, len(call.keys), *call.keys, *call.args))
        except Exception as error:  # noqa: BLE001  (what is not Redis's is raised again)
            return translated(error)

    async def ask(self, *command: str | bytes | int) -> Any:  # noqa: ANN401
        """See ``Servers``."""
        async with self._turns:
            return await self._client.execute_command(*command)

    async def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """See ``Servers``."""
        async with self._turns:
            return await _pipelined(self._client.pipeline(transaction=False), commands)

    async def listen(self, channel: str) -> AsyncIterator[bytes]:
        """See ``Servers``."""
        async with self._client.pubsub() as heard:
            await heard.subscribe(channel)
            async for data in _messages(heard):
                yield data

    async def primary(self, service: str) -> tuple[str, int]:
        """Which server the Sentinels name. Raises as ``ask`` does."""
        host, port = await self._sentinel.discover_master(service)
        return host, port

    async def moved(self) -> bool:
        """See ``Servers``: a primary that was cut off from its Sentinels goes on, and knows nothing of the new one."""
        if self._sentinel is None:
            return False
        pool = self._client.connection_pool
        try:
            return bool(pool.master_address not in {None, await self.primary(pool.service_name)})
        except (RedisError, OSError, TimeoutError):
            return False  # no Sentinel says so

    async def renew(self) -> None:
        """See ``Servers``."""
        await self._client.connection_pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        """See ``Servers``."""
        await self._client.aclose(close_connection_pool=True)
        if self._sentinel is not None:
            for each in self._sentinel.sentinels:
                await each.aclose(close_connection_pool=True)


class ClusterServers:
    """The nodes of a cluster: what goes to one node goes as one pipeline."""

    def __init__(self, client: RedisCluster, options: Mapping[str, Any]) -> None:
        self._client: Any = client
        self._options = options
        self._listened = 0

    async def run(self, script: Script, calls: Sequence[Call]) -> list[Outcome]:
        """See ``Servers``."""
        pipeline = self._client.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command("EVALSHA", script.sha, len(call.keys), *call.keys, *call.args)
        try:
            replies = await pipeline.execute(raise_on_error=False)
        except Exception as error:  # noqa: BLE001  (what is not Redis's is raised again)
            return [translated(error)] * len(calls)
        return [await self._settled(script, call, reply) for call, reply in zip(calls, replies, strict=True)]

    async def _settled(self, script: Script, call: Call, reply: Any) -> Outcome:  # noqa: ANN401
        if isinstance(reply, NoScriptError):
            try:
                return cast(
                    "Outcome",
                    await self._client.execute_command("EVAL", script.text, len(call.keys), *call.keys, *call.args),
                )
            except Exception as error:  # noqa: BLE001  (what is not Redis's is raised again)
                return translated(error)
        return translated(reply) if isinstance(reply, BaseException) else cast("Outcome", reply)

    async def ask(self, *command: str | bytes | int) -> Any:  # noqa: ANN401
        """See ``Servers``."""
        return await self._client.execute_command(*command)

    async def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """See ``Servers``."""
        return await _pipelined(self._client.pipeline(transaction=False), commands)

    async def listen(self, channel: str) -> AsyncIterator[bytes]:
        """See ``Servers``. What is published on any node reaches all: one of them is listened to, each time another."""
        nodes = self._client.get_primaries() or self._client.get_nodes()
        if not nodes:
            await self._client.initialize()
            nodes = self._client.get_primaries()
        node = nodes[self._listened % len(nodes)]
        self._listened += 1
        client: Any = Redis(host=node.host, port=node.port, **self._options)
        try:
            async with client.pubsub() as heard:
                await heard.subscribe(channel)
                async for data in _messages(heard):
                    yield data
        finally:
            await client.aclose(close_connection_pool=True)

    async def moved(self) -> bool:
        """See ``Servers``: the nodes say it themselves, whenever one is asked for what is not its own."""
        return False

    async def renew(self) -> None:
        """See ``Servers``."""
        await self._client.aclose()
        await self._client.initialize()

    async def close(self) -> None:
        """See ``Servers``."""
        await self._client.aclose()


async def _messages(heard: Any) -> AsyncIterator[bytes]:  # noqa: ANN401  (of the library)
    """What is said; nothing when the subscription is confirmed, and when the server answers that it is still there.

    Raises ``TimeoutError`` where it does not: a connection that died without a word says nothing either.
    """
    asked = False
    while True:
        message = await heard.get_message(timeout=SILENCE_S)
        if message is not None:
            asked = False
            yield message["data"] if message["type"] == "message" else b""
        elif asked:
            raise TimeoutError("the server does not answer")
        else:
            asked = True
            await heard.ping()


async def _pipelined(pipeline: Any, commands: Sequence[Command]) -> list[Any]:  # noqa: ANN401  (of either client)
    for command in commands:
        pipeline.execute_command(*command)
    return cast("list[Any]", await pipeline.execute())
