"""Somebody else's library, run by Node beside ours: installed when it is first asked for, measured by itself.

Nothing else needs Node. Where it or a compiler is missing, `NotHere` says what, and the table goes without the row.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import Sample

INSTALL_SECONDS = 900
STILL_LEAVING_SECONDS = 10


class NotHere(Exception):
    """The program cannot be run on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class NodeProgram:
    """A running program that answers each line it is sent with one of its own, both of them JSON."""

    process: asyncio.subprocess.Process

    async def ask(self, question: dict[str, Any]) -> Any:
        """Its answer to a question; raises RuntimeError when it ended instead."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        return await self.answer()

    async def answer(self) -> Any:
        """The next line it says."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError("the Node program ended; what it said stands above")
        return json.loads(line)


@dataclass(frozen=True, slots=True)
class Asked:
    """A way that is measured by a program: `bench.rounds.Elsewhere`. `options` go with every question."""

    program: NodeProgram
    options: dict[str, Any]

    async def sample(self, *, times: int, clients: int) -> Sample:
        """What a call took when the program made that many, shared by as many callers."""
        found = await self.program.ask({**self.options, "times": times, "callers": clients})
        return Sample(other_cpu_us=0.0, **found)


def installed(folder: Path) -> Path:
    """The folder, with what its lock names installed (`npm ci`). Raises `NotHere`."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise NotHere(f"no {tool} here: install Node 20 or newer with npm")
    lock, made = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    if not made.exists() or made.stat().st_mtime < lock.stat().st_mtime:
        print(f"{folder.name}: npm ci; where something has to be compiled it takes a minute or two", file=sys.stderr)
        command = ["npm", "ci", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise NotHere(f"npm ci did not end in {INSTALL_SECONDS} s") from error
        if done.returncode != 0:
            raise NotHere(f"npm ci failed: {done.stderr.strip()[-500:]}")
        made.touch()
    return folder


@asynccontextmanager
async def running(folder: Path, program: str, *arguments: str) -> AsyncIterator[NodeProgram]:
    """Run a program of the folder until the block ends; its first line says that it is ready. Raises `NotHere`."""
    await asyncio.to_thread(installed, folder)
    process = await asyncio.create_subprocess_exec(
        "node",
        program,
        *arguments,
        cwd=folder,
        env={**os.environ, "NODE_ENV": "production"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield await _ready(NodeProgram(process))
    finally:
        if process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), STILL_LEAVING_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _ready(program: NodeProgram) -> NodeProgram:
    try:
        await program.answer()
    except RuntimeError as error:
        raise NotHere("the Node program did not start; what it said stands above") from error
    return program
