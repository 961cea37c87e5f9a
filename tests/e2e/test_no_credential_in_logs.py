"""No credential is in anything that a gateway writes, whatever way it came and whatever became of the request."""

import asyncio
import json
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit

import aiohttp
import jwt

from gateway.clock import now_us
from gateway.demo.backend import Backend
from gateway.demo.data import ACME, BOB, CAROL
from gateway.identity.api_keys import generate_key
from tests.e2e.served import Served, configure, served
from tests.e2e.world import SECRET

YAML = """\
workspace: {{membership: upstream, query: workspace_id}}
identity:
  jwt: {{secret: "${{JWT_SECRET}}", query: Authorization, cookie: session}}
  api_keys: [{{id: {id}, hash: "{hash}", user: {user}}}]
upstream: {{url: "{upstream}", profile: fiber, headers: {{X-Upstream-Key: "{own}"}}}}
defaults: {{user: free, workspace: null}}
plans: [{{slug: free, throughput_limit: 14, window_seconds: 3600}}]
rules:
  - {{method: GET, path: /websocket/message/new, frame_weight: 1}}
  - {{method: POST, path: /user/oauth/token, public: true}}
log: {{level: debug, access: {folder}/access.log}}
"""
OWN = "the-gateways-own-key-for-the-upstream"
PASSWORD = "a-password-that-somebody-types"


class Used:
    """Every credential that was sent, and the requests that carry it in every way there is."""

    def __init__(self, backend: Backend, key: str) -> None:
        good = backend.token(BOB)
        head, _, signature = good.split(".")
        late = jwt.encode({"sub": BOB.id, "exp": now_us() // 1_000_000 - 60}, SECRET, "HS256")
        self.key = key
        self.good = good
        self.stranger = backend.token(CAROL)
        self.tokens = [
            good,
            self.stranger,
            late,
            jwt.encode({"sub": BOB.id, "exp": 1 << 33}, "another-secret-that-is-long-enough-for-it", "HS256"),
            f"{head}.eyJzdWIiOiJhZG1pbiJ9.{signature}",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
            key,
            key[:-3] + "xyz",
        ]

    def secrets(self) -> set[bytes]:
        """What must be nowhere: each whole, as a URL has it, and its last part, which alone proves something."""
        told = {SECRET, OWN, PASSWORD, *self.tokens}
        told |= {token.rpartition(".")[2] for token in self.tokens} | {self.key.rpartition("_")[2]}
        told |= {quote(text, safe="") for text in told} | {quote_plus(f"Bearer {token}") for token in self.tokens}
        return {text.encode() for text in told if len(text) > 10}

    def heads(self) -> Iterable[bytes]:
        """Requests as bytes: good, refused, broken and odd ones."""
        for token in self.tokens:
            for line in (
                f"Authorization: Bearer {token}",
                f"Authorization: bearer {token}",
                f"Authorization: {token}",
                f"Authorization:Bearer {token}\r\nAuthorization: Bearer {token}",
                f"X-API-Key: {token}",
                f"Cookie: session={token}",
                f"Authorization : Bearer {token}",
                f"Authorization: Bearer {token}\r\n folded: {token}",
                f"Authorization: Bearer {token}\r\nX-Workspace-ID: {ACME.id}",
                f"Authorization: Bearer {token}\r\nX-Workspace-ID: nonsense {token}\x01",
                f"Authorization: Bearer {token}\r\nContent-Length: {token}",
                f"Authorization: Bearer {token}\r\nTransfer-Encoding: {token}",
            ):
                yield f"GET /user/me HTTP/1.1\r\nHost: a\r\n{line}\r\nConnection: close\r\n\r\n".encode("latin-1")
            for target in (
                f"/user/me?Authorization=Bearer+{token}",
                f"/user/me?Authorization={quote(f'Bearer {token}')}&access_token={token}",
                f"/nowhere/../?Authorization={token}",
                f"/user/me?Authorization=Bearer+{token}&Authorization=Bearer+{token}",
                f"http://a/user/me?Authorization=Bearer+{token}",
                f"//user//me?Authorization=Bearer+{token}",
            ):
                yield f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
            yield f"GET /user/me?x=Bearer+{token} HTTP/9.9\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            yield f"Authorization: Bearer {token}\r\n\r\n".encode()
            long = "x" * 70_000
            yield f"GET /user/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nX: {long}\r\n\r\n".encode()


async def spoken(here: Served, wire: bytes) -> bytes:
    """What comes back to these bytes."""
    parts = urlsplit(here.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(wire)
        writer.write_eof()
        return await asyncio.wait_for(reader.read(-1), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def used_in_a_socket(here: Served, token: str) -> None:
    """Open one with its credential in the query, talk, and break the protocol."""
    url = f"{here.url}/websocket/message/new?Authorization={quote_plus(f'Bearer {token}')}&workspace_id={ACME.id}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.send_str("ping")
        assert (await socket.receive(timeout=20)).data == "pong"
        await socket.send_str(token)
        socket._writer.transport.write(b"\x83\x80abcd" + token.encode())
        assert (await socket.receive(timeout=20)).data == 1002


async def test_whatever_is_sent_and_whatever_goes_wrong(tmp_path: Path) -> None:
    backend, made = Backend(jwt_secret=SECRET), generate_key()
    upstream, used = await backend.start(), Used(backend, made.key)
    facts = {"id": made.id, "hash": made.hash, "user": BOB.id, "upstream": upstream, "own": OWN, "folder": tmp_path}
    configure(tmp_path, upstream, YAML.format(**facts))
    statuses: set[int] = set()
    answers: list[bytes] = []
    async with served(tmp_path) as here:
        await used_in_a_socket(here, used.good)
        for head in used.heads():
            answers.append(await spoken(here, head))
            statuses |= {int(found) for found in re.findall(rb"^HTTP/1\.1 (\d+)", answers[-1])}
        login = json.dumps({"grant_type": "password", "username": "bob", "password": PASSWORD}).encode()
        length = f"Content-Type: application/json\r\nContent-Length: {len(login)}\r\nConnection: close"
        await spoken(here, f"POST /user/oauth/token HTTP/1.1\r\nHost: a\r\n{length}\r\n\r\n".encode() + login)
        await backend.close()
        down = f"GET /contact HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {used.stranger}\r\nConnection: close\r\n"
        answers += [await spoken(here, f"{down}{more}\r\n".encode()) for more in ("", f"X-Workspace-ID: {BOB.id}\r\n")]
        statuses |= {int(found) for answer in answers[-2:] for found in re.findall(rb"^HTTP/1\.1 (\d+)", answer)}
        metrics = (await (await here.ask("/-/metrics")).text()).encode()
        assert await here.end() == 0
    assert statuses >= {200, 400, 401, 403, 429, 431, 502, 503}, "all that can go wrong went wrong"
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "gateway.yaml"}
    assert {"access.log", "events.log", "ledger.db", "store.db"} <= written.keys()
    assert written["access.log"].count(b"\n") > 100
    for secret in used.secrets():
        for name, text in {**written, "metrics": metrics}.items():
            assert secret not in text, f"{secret!r} is in {name}"
    ours = b"\n".join(answer for answer in answers if b'"context":"gateway"' in answer)
    assert len(ours) > 1_000
    assert [secret for secret in used.secrets() if secret in ours] == [], "nor in our own answers"
