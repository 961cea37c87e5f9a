"""A relay in front of a server: it can hold back answers, lose them, or stop."""

import asyncio
import contextlib


class Relay:
    """Passes bytes on. ``deaf``: answers are lost, and connections with them; ``dumb``: what is asked is lost as well.

    Answers wait until ``open`` is set.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self.deaf = self.dumb = False
        self.lost = 0
        self.open = asyncio.Event()
        self.open.set()
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """Listen; returns the URL."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return f"redis://127.0.0.1:{self.port}/0"

    def leads_to(self, port: int) -> None:
        """Whoever connects from now on is led to another server."""
        self._to = port

    async def stop(self) -> None:
        """Stop listening, and let go of all connections."""
        if self._server is not None:
            self._server.close()
        serving = list(self._serving)
        for each in serving:
            each.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            await self._pass_on(near, near_out)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            near_out.close()
            self._serving.discard(task)

    async def _pass_on(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        far, far_out = await asyncio.open_connection("127.0.0.1", self._to)

        async def back() -> None:
            while data := await far.read(65536):
                await self.open.wait()
                if self.deaf:
                    self.lost += 1
                    near_out.close()
                    return
                near_out.write(data)
            near_out.close()

        answers = asyncio.get_running_loop().create_task(back())
        try:
            with contextlib.suppress(ConnectionError):
                while data := await near.read(65536):
                    if self.dumb:
                        self.lost += 1
                        near_out.close()
                        break
                    far_out.write(data)
            far_out.close()
            await answers
        finally:
            far_out.close()
            answers.cancel()
