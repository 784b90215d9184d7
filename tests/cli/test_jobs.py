"""`tenantry jobs`: background work without a server, and how it stands."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

DEAD = """
INSERT INTO jobs (id, name, payload, status, attempts, attempts_max, last_error, finished_at)
VALUES ('01900000-0000-7000-8000-000000000001', 'mail.deliver', '{}', 'dead', 8, 8, 'refused by the server',
        tenantry_now())"""


def plant(statement):
    with closing(sqlite3.connect("var/tenantry.db")) as connection, connection:
        connection.create_function("tenantry_now", 0, lambda: "2026-03-14 12:00:00.000000+00:00")
        connection.execute(statement)


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
    command = [str(Path(sys.executable).with_name("tenantry")), "jobs", "run"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline() == "Running background jobs. Stop: Ctrl-C\n"
        wait_for(lambda: tenantry("jobs", "list", "--json").json["counts"]["done"] > 0)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "Stopped.\n"
        assert process.wait(20) == 0


def test_a_database_without_a_schema_is_told(product, tenantry):
    for command in (["jobs", "list"], ["jobs", "run", "--once"]):
        answer = tenantry(*command)
        assert answer.status == 1
        assert "tenantry db migrate" in answer.err
