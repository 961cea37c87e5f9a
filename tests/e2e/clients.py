"""Clients that send all the time, reconnect when the gateway dies, and keep their own books."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.clock import now_us
from gateway.core.scope import Scope

_RETRY_S = 0.01


class Order(NamedTuple):
    """A request to send: who may pay for it in this order, and what it costs."""

    wire: bytes
    payers: tuple[Scope, ...]
    cost: int


class Answered(NamedTuple):
    """An answer that was read to its end. ``at_us``: when. ``scope``, ``cost`` and ``left``: as its headers say."""

    life: int
    at_us: int
    id: str
    status: int
    scope: Scope
    cost: int
    left: int
    order: Order


@dataclass(slots=True)
class Books:
    """What the clients know. ``unanswered``: by life, what was sent and not answered."""

    life: int = 0
    answered: list[Answered] = field(default_factory=list)
    unanswered: list[tuple[int, Order]] = field(default_factory=list)


def order(method: str, path: str, token: str, payers: tuple[Scope, ...], cost: int) -> Order:
    """A request without a body. Whoever is asked before the user is the workspace it names."""
    fields = [f"{method} {path} HTTP/1.1", "Host: api.test", f"Authorization: Bearer {token}"]
    fields += [f"X-Workspace-ID: {payer.id}" for payer in payers if payer.kind == "workspace"]
    if method == "POST":
        fields.append("Content-Length: 0")
    return Order(("\r\n".join(fields) + "\r\n\r\n").encode(), payers, cost)


class Clients:
    """``count`` connections that send what ``choose`` picks until they are stopped."""

    def __init__(self, port: int, books: Books, choose: Callable[[], Order], count: int) -> None:
        self._port, self._books, self._choose = port, books, choose
        self._tasks = [asyncio.get_running_loop().create_task(self._send_forever()) for _ in range(count)]

    async def stop(self) -> None:
        """Stop at once; what has no answer yet is unanswered."""
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        for error in ended:
            if not isinstance(error, asyncio.CancelledError):
                raise AssertionError("a client failed") from error

    async def _send_forever(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(_RETRY_S)  # nobody listens: between two lives, or not yet
                continue
            try:
                while True:
                    await self.ask(reader, writer, self._choose())
            except (OSError, EOFError):
                pass
            finally:
                writer.transport.abort()

    async def ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: Order) -> None:
        """One request: booked as unanswered until the last byte of its answer is there."""
        life, books = self._books.life, self._books
        try:
            writer.write(sent.wire)
            answer = await read_answer(reader, sent, life)
        except BaseException:
            books.unanswered.append((life, sent))
            raise
        books.answered.append(answer)


async def read_answer(reader: asyncio.StreamReader, sent: Order, life: int) -> Answered:
    """One answer. Raises ``EOFError`` if the connection ends before it does."""
    head = await reader.readuntil(b"\r\n\r\n")
    start, *lines = head[:-4].decode().split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines)
    await reader.readexactly(int(fields["content-length"]))
    at_us = now_us()
    status = int(start.split(" ")[1])
    scope = Scope(fields["x-ratelimit-scope"], fields["x-ratelimit-scope-id"])
    cost, left = int(fields["x-weighbridge-cost"]), int(fields["x-ratelimit-remaining"])
    return Answered(life, at_us, fields["x-request-id"], status, scope, cost, left, sent)


async def ask_each(port: int, orders: Sequence[Order], life: int) -> list[Answered]:
    """Send each once over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        answers = []
        for sent in orders:
            writer.write(sent.wire)
            answers.append(await read_answer(reader, sent, life))
        return answers
    finally:
        writer.transport.abort()


def pick(chance: random.Random, orders: Sequence[Order], hot: Sequence[Order]) -> Callable[[], Order]:
    """Three of four from all, one from the few that everybody wants."""
    return lambda: chance.choice(hot if chance.random() < 0.25 else orders)
