"""The stand-in backend by itself, as a container runs it."""

import os
import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

WEIGHBRIDGE = str(Path(sys.executable).with_name("weighbridge"))


def start(place: str, **environment: str) -> "subprocess.Popen[str]":
    env = {name: value for name, value in os.environ.items() if name != "JWT_SECRET"} | environment
    command = [WEIGHBRIDGE, "demo", "--backend", place]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_answers_where_it_was_told_to_and_stops_in_order() -> None:
    with start("127.0.0.1:0", JWT_SECRET="s" * 32) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        url = next(word for word in said.split() if word.startswith("http://")).rstrip(".")
        asked = HTTPConnection(url.removeprefix("http://"), timeout=10)
        asked.request("GET", "/docs/index.html")
        assert asked.getresponse().status == 200
        asked.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_what_is_missing_is_said() -> None:
    with start("127.0.0.1:0") as process:
        _, error = process.communicate(timeout=20)
        assert (process.returncode, "JWT_SECRET is not set" in error) == (1, True)
    with start("nowhere", JWT_SECRET="s" * 32) as process:
        _, error = process.communicate(timeout=20)
        assert (process.returncode, "'nowhere' is not HOST:PORT" in error) == (1, True)


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = "{}:{}".format(*taken.getsockname())
        with start(place, JWT_SECRET="s" * 32) as process:
            _, error = process.communicate(timeout=20)
            assert (process.returncode, f"cannot listen on {place}" in error) == (1, True)
