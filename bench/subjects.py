"""What is measured, and the API behind it: how each is started, and what it needs that may be missing."""

import secrets
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from bench import upstream, workload
from bench.processes import Running, free_port, running

HERE = Path(__file__).parent
YARDSTICK = "bare aiohttp proxy"
GATEWAY = "weighbridge"
SHARED = "weighbridge, Redis"
LEASED = "weighbridge, Redis, leased"
REFUSING = "weighbridge, refusing"
NGINX = "nginx proxy_pass"
NGINX_LUA = "nginx + Lua counter"
NGINX_REDIS = "nginx + Lua + Redis"
HAPROXY = "HAProxy stick table"
CADDY = "Caddy reverse_proxy"
LITELLM = "LiteLLM pass-through"
NGINX_HINT = "apt-get install nginx-light"
LUA_HINT = "apt-get install nginx-light libnginx-mod-http-lua"
REDIS_HINT = "apt-get install redis-server"
_MODULES = Path("/usr/lib/nginx/modules")
_LUA = (_MODULES / "ndk_http_module.so", _MODULES / "ngx_http_lua_module.so")


@dataclass(frozen=True, slots=True)
class Bench:
    """What all processes of a run share: a directory, the two cores, the secret that signs the tokens."""

    directory: Path
    subject_core: int
    load_core: int
    redis_port: int = 0
    secret: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)


@dataclass(frozen=True, slots=True)
class Subject:
    """One row of the table."""

    name: str
    command: Callable[[Bench, int, int], list[str]]
    """(bench, port, upstream's port) → what to run; writes the configuration it needs."""
    environment: Callable[[Bench, int, int], Mapping[str, str]] = lambda _bench, _port, _upstream: {}
    programs: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    hint: str = ""
    proof: str | None = None
    """A response field without which the subject did not do its work."""
    refuses: bool = False
    """It answers 429 to all but the first request of each workspace."""

    @property
    def installed(self) -> bool:
        """Whether what it needs is on this machine."""
        return all(map(shutil.which, self.programs)) and all(path.exists() for path in self.files)

    def start(self, bench: Bench, upstream_port: int) -> AbstractContextManager[Running]:
        """The subject on its core, in front of ``upstream_port``."""
        port = free_port()
        return running(
            self.command(bench, port, upstream_port),
            port=port,
            core=bench.subject_core,
            directory=bench.directory,
            env=self.environment(bench, port, upstream_port),
            name=self.name.replace(" ", "-"),
        )


def start_upstream(bench: Bench) -> AbstractContextManager[Running]:
    """The API behind every subject: nginx where installed, else ``bench.upstream``; on the load generator's core."""
    port = free_port()
    if shutil.which("nginx"):
        values = {"port": str(port), "body": upstream.BODY.decode()}
        argv = ["nginx", "-p", str(bench.directory), "-c", str(_fill("nginx-upstream.conf", bench.directory, values))]
    else:
        argv = [sys.executable, str(HERE / "upstream.py"), str(port)]
    return running(argv, port=port, core=bench.load_core, directory=bench.directory, env={}, name="upstream")


def start_redis(bench: Bench, port: int) -> AbstractContextManager[Running]:
    """The store of shared counters, which keeps nothing on disk; on the load generator's core."""
    argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return running(argv, port=port, core=bench.load_core, directory=bench.directory, env={}, name="redis")


def upstream_name() -> str:
    """Which program answers behind the subjects."""
    return "nginx" if shutil.which("nginx") else "bench.upstream (Python)"


def _fill(template: str, directory: Path, values: Mapping[str, str]) -> Path:
    text = (HERE / template).read_text()
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    path = directory / template
    path.write_text(text)
    return path


def _bare(_bench: Bench, port: int, upstream_port: int) -> list[str]:
    return [sys.executable, str(HERE / "bare_proxy.py"), str(port), f"http://127.0.0.1:{upstream_port}"]


def weighbridge(change: Callable[[str], str] = lambda text: text) -> Callable[[Bench, int, int], list[str]]:
    """The gateway with ``gateway.yaml``, ``change``d."""

    def command(bench: Bench, port: int, _upstream_port: int) -> list[str]:
        config = bench.directory / f"gateway-{port}.yaml"
        config.write_text(change((HERE / "gateway.yaml").read_text()))
        return [str(Path(sys.executable).with_name("weighbridge")), "serve", "--config", str(config)]

    return command


def _gateway_environment(bench: Bench, port: int, upstream_port: int) -> Mapping[str, str]:
    return {
        "BENCH_PORT": str(port),
        "BENCH_UPSTREAM_PORT": str(upstream_port),
        "BENCH_JWT_SECRET": bench.secret,
        "BENCH_LEDGER": str(bench.directory / f"ledger-{port}.db"),
        "BENCH_REDIS": f"redis://127.0.0.1:{bench.redis_port}/0",
    }


def in_redis(config: str, mode: str = "exact") -> str:
    """The configuration with its budgets in Redis."""
    there = f'ledger: {{url: "${{BENCH_REDIS}}", mode: {mode}, journal: "sqlite:///${{BENCH_LEDGER}}"}}'
    return config.replace('ledger: "sqlite:///${BENCH_LEDGER}"', there)


def _leased(config: str) -> str:
    return in_redis(config, "leased")


def _tight(config: str) -> str:
    return config.replace("throughput_limit: 1000000000000", "throughput_limit: 1")


def _served(template: str, *argv: str) -> Callable[[Bench, int, int], list[str]]:
    """A program with a configuration made from ``template``, whose path is its last argument."""

    def command(bench: Bench, port: int, upstream_port: int) -> list[str]:
        values = {"port": port, "upstream_port": upstream_port, "redis_port": bench.redis_port, "modules": _MODULES}
        path = _fill(template, bench.directory, {name: str(value) for name, value in values.items()})
        return [*(part.format(directory=bench.directory) for part in argv), str(path)]

    return command


def _litellm(bench: Bench, port: int, upstream_port: int) -> list[str]:
    """A pass-through route for each resource, with all that lies below it."""
    upstream_url, config = f"http://127.0.0.1:{upstream_port}", bench.directory / "litellm.yaml"
    routes = [
        {"path": f"/resource{number}", "target": f"{upstream_url}/resource{number}", "include_subpath": True}
        for number in range(workload.RESOURCES)
    ]
    config.write_text(yaml.safe_dump({"general_settings": {"pass_through_endpoints": routes}}))
    return ["litellm", "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]


_NGINX = ("nginx", "-p", "{directory}", "-c")

SUBJECTS = (
    Subject(YARDSTICK, _bare),
    Subject(GATEWAY, weighbridge(), _gateway_environment, proof="X-RateLimit-Limit"),
    Subject(REFUSING, weighbridge(_tight), _gateway_environment, proof="X-RateLimit-Limit", refuses=True),
    Subject(
        SHARED,
        weighbridge(in_redis),
        _gateway_environment,
        programs=("redis-server",),
        hint=REDIS_HINT,
        proof="X-RateLimit-Limit",
    ),
    Subject(
        LEASED,
        weighbridge(_leased),
        _gateway_environment,
        programs=("redis-server",),
        hint=REDIS_HINT,
        proof="X-RateLimit-Limit",
    ),
    Subject(NGINX, _served("nginx.conf", *_NGINX), programs=("nginx",), hint=NGINX_HINT),
    Subject(
        NGINX_LUA,
        _served("nginx-lua.conf", *_NGINX),
        programs=("nginx",),
        files=_LUA,
        hint=LUA_HINT,
        proof="X-RateLimit-Remaining",
    ),
    Subject(
        NGINX_REDIS,
        _served("nginx-redis.conf", *_NGINX),
        programs=("nginx", "redis-server"),
        files=_LUA,
        hint=f"{LUA_HINT} redis-server",
        proof="X-RateLimit-Remaining",
    ),
    Subject(
        HAPROXY,
        _served("haproxy.cfg", "haproxy", "-f"),
        programs=("haproxy",),
        hint="apt-get install haproxy",
        proof="X-RateLimit-Spent",
    ),
    Subject(
        LITELLM,
        _litellm,
        lambda bench, _port, _upstream: {"HOME": str(bench.directory)},
        programs=("litellm",),
        hint="pip install 'litellm[proxy]' (optional)",
    ),
    Subject(
        CADDY,
        _served("Caddyfile", "caddy", "run", "--adapter", "caddyfile", "--config"),
        lambda bench, _port, _upstream: {"GOMAXPROCS": "1", "HOME": str(bench.directory)},
        programs=("caddy",),
        hint="apt-get install caddy",
    ),
)
