"""A product that notes things, in every way an endpoint may write; `DIE_AT` in the environment kills it on the way."""

import asyncio
import os
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from tenantry import Google, Keys, Meter, Module, Plan, Product, Scope
from tenantry.kernel import Caller, Context, Open, Problem, Service, SignedIn, Write, new_id, problems
from tenantry.kernel.audit import audit
from tenantry.kernel.idempotency import creates
from tenantry.kernel.problems import Unauthenticated

NOTED = "note.made"


class NoteRefused(Problem):
    """This note is refused."""

    code, status = "noting.refused", 409


class PrinterAway(Problem):
    """The printer of notes is away. Try again."""

    code, status = "noting.printer_away", 503


class NewNote(BaseModel):
    """What to note, and how it ends."""

    model_config = ConfigDict(extra="forbid")

    text: str = "x"
    ends: Literal["well", "refused", "away", "crash", "late crash", "returned", "streamed"] = "well"


class Note(BaseModel):
    """A note that was made."""

    id: UUID


class Dying(Response):
    """What is committed, and never answered."""

    async def __call__(self, *_: Any) -> None:
        os._exit(9)


def die(at: str) -> None:
    if os.environ.get("DIE_AT") == at:
        os._exit(9)


class Printer:
    """Endpoints wait here while it is closed."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = 0

    async def passed(self) -> None:
        self.waiting += 1
        await self.open.wait()


async def noted(ctx: Context, note: NewNote) -> UUID:
    """Write a note into the open unit."""
    made = new_id()
    await audit(ctx, NOTED, subject=("note", made), detail={"text": note.text})
    return made


def refuse(note: NewNote) -> None:
    match note.ends:
        case "refused":
            raise NoteRefused
        case "away":
            raise PrinterAway
        case "crash":
            raise RuntimeError("on purpose")


def answered(note: NewNote, made: UUID, response: Response) -> Any:
    if os.environ.get("DIE_AT") == "answer":
        return Dying()
    match note.ends:
        case "returned":
            return Response(b"no", 409)
        case "streamed":
            return StreamingResponse(iter([b"1", b"2"]), 201)
        case "late crash":
            raise RuntimeError("on purpose, late")
    response.headers["Location"] = f"/v1/notes/{made}"
    response.set_cookie("flavour", "secret")
    return Note(id=made)


def routes(printer: Printer) -> APIRouter:
    """One creating route of each kind."""
    router = APIRouter(tags=["notes"], responses=problems(NoteRefused, PrinterAway, Unauthenticated))

    async def by_itself(note: NewNote, ctx: Context, response: Response) -> Any:
        refuse(note)
        await printer.passed()
        async with ctx.unit() as working:
            made = await noted(working, note)
            die("unit")
        die("committed")
        return answered(note, made, response)

    async def inside(note: NewNote, ctx: Context, response: Response) -> Any:
        refuse(note)
        await printer.passed()
        made = await noted(ctx, note)
        die("unit")
        return answered(note, made, response)

    @router.post("/v1/notes", status_code=201)
    async def note_by_itself(note: NewNote, ctx: SignedIn, response: Response) -> Note:
        """Note in a unit of one's own."""
        return await by_itself(note, ctx, response)

    @router.post("/v1/written", status_code=201)
    async def note_in_the_unit(note: NewNote, ctx: Write, response: Response) -> Note:
        """Note in the request's unit."""
        return await inside(note, ctx, response)

    @router.post("/v1/served", status_code=201)
    async def note_as_the_service(note: NewNote, ctx: Service, response: Response) -> Note:
        """Note in the request's unit on the service login."""
        return await inside(note, ctx, response)

    @router.post("/v1/called", status_code=201)
    async def note_of_a_program(note: NewNote, ctx: Caller, response: Response) -> Note:
        """Note for whoever calls."""
        refuse(note)
        await printer.passed()
        async with ctx.service() as working:
            made = await noted(working, note)
        return answered(note, made, response)

    @router.post("/v1/marked")
    @creates
    async def note_with_200(note: NewNote, ctx: SignedIn, response: Response) -> Note:
        """Note, and answer 200."""
        return await by_itself(note, ctx, response)

    @router.post("/v1/unmarked")
    async def note_without_keys(note: NewNote, ctx: SignedIn, response: Response) -> Note:
        """Note, and take no key."""
        return await by_itself(note, ctx, response)

    @router.post("/v1/open", status_code=201)
    async def note_of_a_stranger(note: NewNote, ctx: Open, response: Response) -> Note:
        """Note for anybody."""
        async with ctx.service() as working:
            made = await noted(working, note)
        return answered(note, made, response)

    return router


def noting_product(printer: Printer | None = None) -> Product:
    """A product with one creating route of each kind."""
    calls = Meter("calls", per="day")
    return Product(
        "Acme",
        sign_in=[Google()],
        plans=[Plan("free", price=0, limits={calls: 500})],
        keys=Keys("acme", meter=calls, scopes=[Scope("notes:write", "Write notes.")]),
        modules=[Module("noting", routers=[routes(printer or Printer())])],
    )


product = noting_product()
