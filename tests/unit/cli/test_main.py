"""The command itself: what it loads, and what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys

import click

from edge.cli.main import main


def test_every_command_is_loaded_under_its_name() -> None:
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.get_short_help_str()


def test_what_is_no_command_is_none() -> None:
    assert main.get_command(click.Context(main), "options") is None


def test_openssl_reads_our_file_and_other_programs_do_not() -> None:
    context = click.Context(main)
    assert main.get_command(context, "run") is not None
    assert "edge/tls/openssl.cnf" not in os.environ.get("OPENSSL_CONF", "")


def test_openssls_own_file_is_the_operators_if_there_is_one() -> None:
    script = (
        "import os, click\n"
        "from edge.cli.main import main\n"
        "main.get_command(click.Context(main), 'run')\n"
        "print(os.environ.get('OPENSSL_CONF'))\n"
    )
    for given, left in (("/dev/null", "/dev/null"), (None, "None")):
        environment = {key: value for key, value in os.environ.items() if key != "OPENSSL_CONF"}
        if given is not None:
            environment["OPENSSL_CONF"] = given
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == left


def test_a_command_of_the_toolkit_does_not_load_the_data_plane() -> None:
    script = (
        "import sys, click\n"
        "from edge.cli.main import main\n"
        "main.get_command(click.Context(main), 'cfssl')\n"
        "print([name for name in sys.modules if name.startswith(('edge.proxy', 'edge.runtime', 'uvloop'))])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
