"""The three WebSockets: feeds of new messages and statuses, and the one that sends a campaign."""

import asyncio

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from gateway.demo.data import ACME, CAMPAIGN, CAMPAIGN_SIZE
from gateway.demo.exchange import Call, Served, api_error
from gateway.demo.identity import Identity, parse_uuid
from gateway.demo.router import Router
from gateway.tasks import Tasks

_MAX_FRAME = 4 * 1024 * 1024


class Feeds:
    """Open connections by what they listen to."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], set[web.WebSocketResponse]] = {}

    async def join(self, topic: str, key: str, call: Call) -> web.WebSocketResponse:
        """Answer the handshake (101) and listen to ``topic`` of ``key`` (a workspace or a campaign)."""
        socket = web.WebSocketResponse(max_msg_size=_MAX_FRAME)
        socket.headers.update(call.cors)
        await socket.prepare(call.request)
        self._open.setdefault((topic, key), set()).add(socket)
        return socket

    def leave(self, topic: str, key: str, socket: web.WebSocketResponse) -> None:
        """Stop listening."""
        listeners = self._open.get((topic, key), set())
        listeners.discard(socket)
        if not listeners:
            self._open.pop((topic, key), None)

    async def tell(self, topic: str, key: str, row: dict[str, object]) -> None:
        """Send ``row`` as a JSON text frame to all who listen."""
        await self.send(topic, key, orjson.dumps(row).decode())

    async def send(self, topic: str, key: str, frame: str) -> None:
        """Send one text frame to all who listen; those who just left are passed over."""
        for socket in tuple(self._open.get((topic, key), ())):
            if not socket.closed:
                await asyncio.gather(socket.send_str(frame), return_exceptions=True)

    async def close(self) -> None:
        """Close every connection with 1001."""
        sockets = [socket for listeners in self._open.values() for socket in listeners]
        closing = (socket.close(code=WSCloseCode.GOING_AWAY, drain=False) for socket in sockets)
        await asyncio.gather(*closing, return_exceptions=True)


class Campaigns:
    """Sends campaigns, a message each ``step_s`` seconds; all who watch a campaign see its progress."""

    def __init__(self, feeds: Feeds, tasks: Tasks, step_s: float) -> None:
        self._feeds, self._tasks, self._step_s = feeds, tasks, step_s
        self._running: dict[str, asyncio.Task[None]] = {}

    async def serve(self, call: Call) -> web.StreamResponse:
        """One connection: ``send``, ``cancel``, ``status`` and ``ping`` as text frames, JSON errors for others."""
        campaign = parse_uuid(call.params["campaign_id"])
        socket = await self._feeds.join("campaign", campaign or "", call)
        try:
            if campaign is None:
                await socket.send_str(_error("unable to parse campaign id", "invalid UUID"))
            elif (campaign, call.workspace) != (CAMPAIGN, ACME.id):
                await socket.send_str(_error("campaign not found or access denied", "record not found"))
            else:
                await self._converse(campaign, socket)
            await socket.close()
        finally:
            self._feeds.leave("campaign", campaign or "", socket)
        return socket

    async def _converse(self, campaign: str, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                await socket.send_str(_error("unable to handle message", "only text messages are allowed"))
            elif (reply := await self._command(campaign, str(message.data))) is not None:
                await socket.send_str(reply)

    async def _command(self, campaign: str, command: str) -> str | None:
        sending = campaign in self._running
        reply: str | None = None
        match command:
            case "ping":
                reply = "pong"
            case "status":
                reply = "sending" if sending else "not sending"
            case "send" if not sending:
                self._running[campaign] = self._tasks.start(self._send(campaign), f"campaign {campaign}")
            case "send":
                reply = _error("unable to handle message", "currently sending campaign")
            case "cancel" if sending:
                await self._cancel(campaign)
            case "cancel":
                reply = _error("unable to handle message", "not sending campaign")
            case _:
                reply = _error("unable to handle message", "unsupported message")
        return reply

    async def _cancel(self, campaign: str) -> None:
        task = self._running.pop(campaign)
        task.cancel()
        await asyncio.wait([task])
        await self._feeds.send("campaign", campaign, "not sending")

    async def _send(self, campaign: str) -> None:
        try:
            for sent in range(1, CAMPAIGN_SIZE + 1):
                await asyncio.sleep(self._step_s)
                progress: dict[str, object] = {"total": CAMPAIGN_SIZE, "sent": sent, "successes": sent, "errors": 0}
                await self._feeds.tell("campaign", campaign, progress)
        finally:
            self._running.pop(campaign, None)


def add_sockets(router: Router[Served], identity: Identity, feeds: Feeds, campaigns: Campaigns) -> None:
    """Routes under ``/websocket`` (their guards stand before the whole prefix, so also before its 404s)."""

    async def messages(call: Call) -> web.StreamResponse:
        return await _listen(feeds, "message", call)

    async def statuses(call: Call) -> web.StreamResponse:
        return await _listen(feeds, "status", call)

    router.add("GET", "/websocket/message/new", Served(messages, identity.sockets))
    router.add("GET", "/websocket/status/new", Served(statuses, identity.sockets))
    router.add("GET", "/websocket/campaign/whatsapp/send/:campaign_id", Served(campaigns.serve, identity.sockets))


async def _listen(feeds: Feeds, topic: str, call: Call) -> web.StreamResponse:
    socket = await feeds.join(topic, call.workspace, call)
    try:
        async for message in socket:
            if message.type is WSMsgType.TEXT and message.data == "ping":
                await socket.send_str("pong")
    finally:
        feeds.leave(topic, call.workspace, socket)
    return socket


def _error(message: str, inner: str) -> str:
    body = api_error(400, message, "handler", inner).body
    return body.decode() if isinstance(body, bytes) else ""
