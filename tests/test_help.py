"""``--help`` of every command: what it does, and an example that works as it stands."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from gateway.cli import main


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command there is, by the words that name it."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        yield (*path, name)


COMMANDS = list(commands())


def helped(path: tuple[str, ...]) -> str:
    done = CliRunner().invoke(main, [*path, "--help"], terminal_width=200)
    assert done.exit_code == 0
    return done.output


def command_at(path: tuple[str, ...]) -> click.Command:
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    return command


@pytest.mark.parametrize("path", [(), *COMMANDS], ids=" ".join)
def test_every_command_says_what_it_does_and_shows_an_example(path: tuple[str, ...]) -> None:
    said = helped(path)
    assert re.search(r"^Usage: ", said)
    if isinstance(command_at(path), click.Group) and path:
        assert re.search(r"^Commands:$", said, re.MULTILINE)
    else:
        assert re.search(r"^\s+(Examples?|Try it):\s+\S", said, re.MULTILINE), said


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_example_is_a_call_of_that_command(path: tuple[str, ...]) -> None:
    command = command_at(path)
    for line in re.findall(r"^\s+(?:Examples?:)?\s+((?:\w+=\S+ )*weighbridge .+)$", helped(path), re.MULTILINE):
        words = shlex.split(line.partition(" | ")[0].partition(" > ")[0])
        words = [word for word in words if not re.match(r"[A-Z_]+=", word)]
        assert tuple(words[: len(path) + 1]) == ("weighbridge", *path), line
        with command.make_context(path[-1], words[len(path) + 1 :], resilient_parsing=False) as context:
            assert context.params.keys() == {option.name for option in command.params if option.expose_value}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_says_what_it_is_for(path: tuple[str, ...]) -> None:
    for option in command_at(path).params:
        if isinstance(option, click.Option):
            assert option.help, option.name
