"""``edge keys``: the keys that sign session tokens."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from edge.cli.configuration import config_option, configuration
from edge.cli.options import current_time, fail, json_option
from edge.state.signing_keys import KeyStoreError, StoredKey, list_keys, ring, rotate


@click.group()
def keys() -> None:
    """List or rotate the keys that sign session tokens."""


@keys.command("list")
@config_option
@json_option
def list_command(config_path: Path, *, as_json: bool) -> None:
    """Show the keys, newest first, and which of them are believed."""
    config = configuration(config_path)
    try:
        stored = list_keys(config.server.state_dir, config.access.signing_algorithm)
    except KeyStoreError as error:
        fail([error])
    believed = {key.kid for key in ring(stored, current_time())} if stored else set()
    rows = [_row(each, position, believed) for position, each in enumerate(stored)]
    if as_json:
        print(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
    elif rows:
        for row in rows:
            print(f"{row['state']:<9} {row['algorithm']}  {row['created']}  {row['kid']}")
    else:
        print("no keys yet; `edge run` makes the first one")


@keys.command("rotate")
@config_option
@json_option
def rotate_command(config_path: Path, *, as_json: bool) -> None:
    """Make a new key. The one before it is believed for seven more days."""
    config = configuration(config_path)
    try:
        made = rotate(config.server.state_dir, config.access.signing_algorithm, current_time())
    except KeyStoreError as error:
        fail([error])
    if as_json:
        print(orjson.dumps(_row(made, 0, {made.key.kid}), option=orjson.OPT_INDENT_2).decode())
    else:
        print(f"new key {made.key.kid} in {made.path}; send the edge SIGHUP to sign with it")


def _row(stored: StoredKey, position: int, believed: set[str]) -> dict[str, str]:
    state = "current" if position == 0 else "previous" if stored.key.kid in believed else "expired"
    return {
        "state": state,
        "algorithm": stored.key.algorithm,
        "created": f"{stored.created:%Y-%m-%dT%H:%M:%SZ}",
        "kid": stored.key.kid,
        "file": str(stored.path),
    }
