"""Every stream whose loss would be one is backed up, whole or not at all."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from comanda_contracts.streams import ALL_STREAMS, ARCHIVES, COMMANDS

from tests.deploy.cluster import of_kind
from tests.deploy.manifests import KUBERNETES, render

pytestmark = pytest.mark.programs

BASE = KUBERNETES / "backup" / "base"


def back_up(folder: Path, nats: str) -> subprocess.CompletedProcess[str]:
    """Run the script, with a program that stands for NATS's command line."""
    program = folder / "nats"
    program.write_text(f"#!/bin/sh\n{nats}\n")
    program.chmod(0o755)
    environment = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "BACKUPS": str(folder / "backups"),
        "KEPT": "1",
        "NATS_OPTIONS": "--tlsfirst",
    }
    return subprocess.run(
        ["sh", BASE / "streams.sh"], env=environment, capture_output=True, text=True, check=False
    )


def test_every_stream_but_the_queue_of_commands_is_backed_up(tmp_path: Path) -> None:
    older = tmp_path / "backups" / "streams" / "2026-11-26T024000Z"
    older.mkdir(parents=True)

    done = back_up(tmp_path, '[ "$1 $2 $3" = "--tlsfirst stream backup" ] && mkdir "$6"')

    assert done.returncode == 0, done.stderr
    (whole,) = (tmp_path / "backups" / "streams").iterdir()
    assert whole != older
    assert {each.name for each in whole.iterdir()} == {
        stream.name for stream in (*ALL_STREAMS, *ARCHIVES) if stream != COMMANDS
    }


def test_a_stream_that_can_not_be_backed_up_fails_it_and_nothing_looks_whole(
    tmp_path: Path,
) -> None:
    done = back_up(tmp_path, '[ "$5" != TICKETS ]')

    assert done.returncode != 0
    assert not [
        each
        for each in (tmp_path / "backups" / "streams").iterdir()
        if re.fullmatch(r"[0-9TZ-]+", each.name)
    ]


@pytest.mark.parametrize("size", ["small", "production"])
def test_each_night_there_is_a_backup_before_it_is_tried(size: str) -> None:
    nightly = {
        each["metadata"]["name"]: each["spec"]
        for each in of_kind(render(KUBERNETES / "overlays" / size), "CronJob")
        if not each["spec"].get("suspend")
    }

    assert nightly.keys() == {"backup-postgresql", "backup-streams", "restore-drill", "query-audit"}
    at = {}
    for name, spec in nightly.items():
        minute, hour, *rest = spec["schedule"].split()
        assert rest == ["*", "*", "*"]
        assert spec["timeZone"] == "Etc/UTC"
        assert spec["concurrencyPolicy"] == "Forbid"
        assert spec["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] == "Never"
        at[name] = 60 * int(hour) + int(minute)
    longest = nightly["backup-postgresql"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] / 60
    assert at["restore-drill"] >= at["backup-postgresql"] + longest
