"""`tenantry jobs`: background work without a server, and how it stands."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

DEAD = """
INSERT INTO jobs (id, name, payload, status, attempts, attempts_max, last_error, finished_at)
VALUES ('01900000-0000-7000-8000-000000000001', 'mail.deliver', '{}', 'dead', 8, 8, 'refused by the server',
        tenantry_now())"""


# A job that waits for a file, and says that it runs by making another.
SLOW = """
import asyncio
from datetime import timedelta
from pathlib import Path

from tenantry import Google, Meter, Module, Plan, Product
from tenantry.kernel.module import Job


async def wait(ctx, payload):
    Path("runs").touch()
    while not Path("go").exists():
        await asyncio.sleep(0.01)


slow = Module("slow", jobs=[Job("slow.wait", wait, every=timedelta(days=36500))])
free = Plan("free", price=0, limits={Meter("requests", per="day"): 5})
product = Product("Acme", sign_in=[Google()], plans=[free], modules=[slow])
"""


def plant(statement):
    with closing(sqlite3.connect("var/tenantry.db")) as connection, connection:
        connection.create_function("tenantry_now", 0, lambda: "2026-03-14 12:00:00.000000+00:00")
        connection.execute(statement)


@contextmanager
def started(*arguments, **environment):
    """A command as a program that is not waited for; it does not outlive the test."""
    command = [str(Path(sys.executable).with_name("tenantry")), *arguments]
    environment = {**os.environ, **environment}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def test_once_runs_what_is_due_and_ends(settings, product, tenantry, program):
    assert tenantry("db", "migrate", **settings).status == 0
    ran = program("jobs", "run", "--once", **settings)
    assert ran.status == 0, ran.err
    assert "jobs were run." in ran.out
    counts = tenantry("jobs", "list", "--json", **settings).json["counts"]
    assert counts["done"] > 0
    assert counts["queued"] == counts["running"] == counts["dead"] == 0


def test_dead_jobs_are_shown_with_what_they_failed_of(product, tenantry):
    assert tenantry("db", "migrate").status == 0
    plant(DEAD)
    listed = tenantry("jobs", "list", "--json").json
    assert listed["counts"] == {"queued": 0, "running": 0, "done": 0, "dead": 1}
    assert listed["dead"] == [
        {
            "id": "01900000-0000-7000-8000-000000000001",
            "name": "mail.deliver",
            "attempts": 8,
            "last_error": "refused by the server",
            "finished_at": "2026-03-14T12:00:00Z",
        }
    ]
    said = tenantry("jobs", "list").out
    assert "dead 1" in said
    assert "refused by the server" in said


def test_runs_until_told(product, tenantry, wait_for):
    assert tenantry("db", "migrate").status == 0
    with started("jobs", "run") as process:
        assert process.stderr.readline() == "Running background jobs. Stop: Ctrl-C\n"
        wait_for(lambda: tenantry("jobs", "list", "--json").json["counts"]["done"] > 0)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "Stopped.\n"
        assert process.wait(20) == 0


@pytest.mark.parametrize("how", ["run", "jobs run --once"])
def test_a_job_that_is_stopped_is_done_by_who_comes_next(how, settings, empty_folder, tenantry, wait_for, serve):
    """SIGTERM while it runs: nobody waits for its lease to end, and no attempt is lost."""
    (empty_folder / "product.py").write_text(SLOW)
    assert tenantry("db", "migrate", **settings).status == 0
    if how == "run":
        server = serve("--no-demo", **settings)
        wait_for(Path("runs").exists)
        assert server.send(signal.SIGTERM) == 0
        assert "Traceback" not in server.said
    else:
        with started(*how.split(), **settings) as process:
            wait_for(Path("runs").exists)
            process.send_signal(signal.SIGTERM)
            said = process.stderr.read()
            assert process.wait(20) == 130
            assert "Traceback" not in said
    assert tenantry("jobs", "list", "--json", **settings).json["counts"]["running"] == 0
    Path("go").touch()
    assert tenantry("jobs", "run", "--once", **settings).status == 0
    counts = tenantry("jobs", "list", "--json", **settings).json["counts"]
    assert counts["queued"] == counts["running"] == counts["dead"] == 0


def test_a_database_without_a_schema_is_told(product, tenantry):
    for command in (["jobs", "list"], ["jobs", "run", "--once"]):
        answer = tenantry(*command)
        assert answer.status == 1
        assert "tenantry db migrate" in answer.err


def test_a_dead_job_is_queued_again(product, tenantry):
    assert tenantry("db", "migrate").status == 0
    plant(DEAD)
    dead = "01900000-0000-7000-8000-000000000001"
    assert tenantry("jobs", "replay", dead, "--json").json == {"id": dead, "status": "queued"}
    assert tenantry("jobs", "list", "--json").json["counts"] == {"queued": 1, "running": 0, "done": 0, "dead": 0}
    again = tenantry("jobs", "replay", dead)
    assert again.status == 1
    assert "There is no dead job" in again.err
    assert "tenantry jobs list" in again.err
    assert tenantry("jobs", "replay", "x").status == 2
    # It is done now, or was never there.
    assert tenantry("jobs", "run", "--once").status == 0
    for unknown in (dead, "01900000-0000-7000-8000-000000000002"):
        assert tenantry("jobs", "replay", unknown).status == 1


def test_as_many_dead_jobs_are_shown_as_wanted(product, tenantry):
    assert tenantry("db", "migrate").status == 0
    for number in range(3):
        plant(DEAD.replace("000000000001", f"00000000000{number}"))
    assert len(tenantry("jobs", "list", "--json").json["dead"]) == 3
    assert len(tenantry("jobs", "list", "--json", "--limit", "2").json["dead"]) == 2
