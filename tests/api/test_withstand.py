"""What the API must withstand: a database that is locked, or away; clients that are rude; everybody at once."""

import asyncio
import json
import socket
import sqlite3
from pathlib import Path

from gateway.demo.data import ADMIN, ALICE
from gateway.store.open import migrate
from tests.api.clients import PRO, YAML, clients
from tests.databases.postgresql import own_server
from tests.e2e.served import until
from tests.e2e.world import World, world


async def test_a_locked_database_is_503_and_changes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, YAML.format(url=f"sqlite:///{tmp_path}/store.db")) as here:
        admin = clients(here).admin
        other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            answer = await admin.post("/plan", PRO)
            assert (answer.status, answer.body["content"]["code"]) == (503, "store_unavailable")
            assert answer.headers["Retry-After"] == "1"
            assert (await admin.get("/plan?source=database")).body == []
            assert (await here.ask("/user/me", ALICE)).status == 200, "what is forwarded goes on"
        finally:
            other.close()
        assert (await admin.post("/plan", PRO)).status == 201


async def test_a_database_that_is_away_is_503_until_it_is_back(tmp_path: Path) -> None:
    with own_server() as running:
        url = running.database()
        await migrate(url)
        async with world(tmp_path, YAML.format(url=url)) as here:
            admin = clients(here).admin
            made = await admin.post("/plan", PRO)
            running.stop()
            for method, path, body in (
                ("GET", "/plan", None),
                ("GET", f"/plan/{made.body['id']}", None),
                ("POST", "/plan", {**PRO, "slug": "two"}),
                ("DELETE", f"/plan?id={made.body['id']}", None),
                ("GET", "/api-key", None),
            ):
                answer = await admin(method, path, body)
                assert (answer.status, answer.body["content"]["code"]) == (503, "store_unavailable"), (method, path)
                assert "postgres" not in str(answer.body).lower()
            assert (await admin.get("/me")).status == 200
            running.start()
            async with asyncio.timeout(30):
                while (await admin.get("/plan")).status != 200:
                    await asyncio.sleep(0.05)
            assert (await admin.get(f"/plan/{made.body['id']}")).body == made.body
            assert (await admin.post("/plan", {**PRO, "slug": "two"})).status == 201


async def said(here: World, head: str, body: bytes = b"") -> bytes:
    """What the gateway answers to these bytes, until it closes the connection."""
    host, _, port = here.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer


def head(here: World, *fields: str) -> str:
    token = here.backend.token(ADMIN)
    lines = ["POST /billing/plan HTTP/1.1", "Host: x", "Connection: close", f"Authorization: Bearer {token}", *fields]
    return "\n".join(lines) + "\n"


async def test_a_client_that_expects_100_is_told_to_go_on_only_if_it_may(shop: World) -> None:
    body = json.dumps(PRO).encode()
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Expect: 100-continue")
    answer = await said(shop, head(shop, *fields), body)
    assert b"HTTP/1.1 201 Created" in answer
    stranger = head(shop, *fields).replace("Authorization", "X-Nothing")
    refused = await said(shop, stranger)
    assert refused.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in refused


async def test_a_body_in_chunks_is_read_and_bounded(shop: World) -> None:
    fields = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    raw = json.dumps(PRO).encode()
    chunks = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (7, raw[:7], len(raw) - 7, raw[7:])
    assert (await said(shop, head(shop, *fields), chunks)).startswith(b"HTTP/1.1 201 ")
    endless = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    assert (await said(shop, head(shop, *fields), endless * 17)).startswith(b"HTTP/1.1 413 ")
    broken = await said(shop, head(shop, *fields), b"xyz\r\n")
    assert broken.startswith(b"HTTP/1.1 400 ")
    long = head(shop, "Content-Type: application/json", "Content-Length: 99999999")
    assert (await said(shop, long)).startswith(b"HTTP/1.1 413 ")


async def test_a_client_that_leaves_in_mid_body_harms_nobody(shop: World) -> None:
    host, _, port = shop.url.removeprefix("http://").partition(":")
    for _ in range(20):
        with socket.create_connection((host, int(port))) as client:
            client.sendall(head(shop, "Content-Type: application/json", "Content-Length: 100").encode() + b"\r\n{")
    admin = clients(shop).admin
    assert (await admin.get("/plan?source=database")).body == []
    assert (await admin.post("/plan", PRO)).status == 201


async def test_another_site_cannot_act_with_a_browsers_cookie(shop: World) -> None:
    admin = clients(shop).admin
    borrowed = {"Cookie": "session=x", "Sec_Fetch_Site": "cross-site"}
    assert (await admin.post("/plan", PRO, **borrowed)).status == 403
    assert (await admin.get("/plan", **borrowed)).status == 200
    assert (await admin.post("/plan", PRO, Sec_Fetch_Site="cross-site")).status == 201, "a token in a header is its own"


async def test_everybody_edits_one_plan_at_once_and_no_edit_is_lost(shop: World) -> None:
    admin = clients(shop).admin
    at = f"/plan?id={(await admin.post('/plan', PRO)).body['id']}"

    async def raise_by_one() -> None:
        """As a careful client does: read, change, write if nobody else was faster."""
        while True:
            read = await admin.get(at.replace("?id=", "/"))
            said = {"throughput_limit": read.body["throughput_limit"] + 1}
            answer = await admin.put(at, said, If_Match=read.headers["ETag"])
            if answer.status == 200:
                return
            assert answer.status == 412

    await asyncio.gather(*(raise_by_one() for _ in range(8)))
    plan = (await admin.get(at.replace("?id=", "/"))).body
    assert (plan["throughput_limit"], plan["version"]) == (5008, 9)


async def test_nothing_of_a_caller_is_in_the_log_or_the_audit(shop: World) -> None:
    admin = clients(shop).admin
    await admin.post("/plan", {**PRO, "name": "shown"})
    await admin.post("/login", {"password": "the secret word of somebody"})
    access = shop.folder / "access.log"
    await until(lambda: "/billing/login" in access.read_text(), "the access log")
    log = access.read_text()
    for secret in (shop.backend.token(ADMIN), "the secret word of somebody"):
        assert secret not in log
        assert secret not in str((await admin.get("/audit")).body)
    entry = (await admin.get("/audit")).body[0]
    assert (entry["action"], entry["actor_id"], entry["after"]["name"]) == ("plan.create", ADMIN.id, "shown")
