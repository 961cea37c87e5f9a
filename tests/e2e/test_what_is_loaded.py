"""A process holds the libraries that its settings ask for, and none of the others: they take tens of megabytes."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

LEAST = """\
listen: 127.0.0.1:0
upstream: {url: "http://127.0.0.1:1"}
workspace: {membership: trust_clients}
ledger: "memory:"
log: {access: false}
"""
HMAC = 'identity: {jwt: {secret: "a secret of more than thirty-two bytes"}}\n'
PUBLIC = "identity: {{jwt: {{public_key: {pem!r}, algorithms: [ES256]}}}}\n"
JWKS = 'identity: {jwt: {jwks: "http://127.0.0.1:1/keys", algorithms: [ES256], issuer: a, audience: b}}\n'
STORED = "store: sqlite:///{folder}/store.db\n"
_DEAR = {"cryptography", "jwt", "sqlalchemy", "aiosqlite", "asyncpg", "redis", "stripe", "alembic", "rich"}
_SCRIPT = """\
import asyncio, sys
from pathlib import Path
from gateway.cli import main
from gateway.server import start
from gateway.settings.load import load

async def run():
    gateway = await start(load(Path(sys.argv[1]), {}))
    print("LOADED", *sys.modules)
    await gateway.stop()

asyncio.run(run())
"""


async def loaded(folder: Path, more: str) -> set[str]:
    """Of those that are dear, the ones that a gateway with these settings has loaded once it listens."""
    config = folder / "gateway.yaml"
    config.write_text(LEAST + more)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SCRIPT, str(config), stdout=asyncio.subprocess.PIPE, env=environment
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    (line,) = [line for line in out.decode().splitlines() if line.startswith("LOADED")]
    return _DEAR.intersection(line.split())


@pytest.mark.parametrize("more", ["identity: {anonymous: forward}\n", HMAC], ids=["nobody is known", "secret"])
async def test_without_a_store_and_public_keys_none_of_them_is_loaded(tmp_path: Path, more: str) -> None:
    assert await loaded(tmp_path, f"{more}store: null\n") == set()


async def test_public_keys_bring_their_arithmetic(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    quoted = PUBLIC.format(pem=pem).replace("'", '"')
    assert await loaded(tmp_path, f"{quoted}store: null\n") == {"cryptography", "jwt"}
    assert await loaded(tmp_path, f"{JWKS}store: null\n") == {"cryptography", "jwt"}


async def test_a_file_as_store_brings_no_other_database(tmp_path: Path) -> None:
    await loaded(tmp_path, HMAC + STORED.format(folder=tmp_path))  # the first start makes the tables
    assert await loaded(tmp_path, HMAC + STORED.format(folder=tmp_path)) == {"sqlalchemy", "aiosqlite"}
