"""What owners do with their trials, over HTTP, and who they are."""

from sqlalchemy import insert

from tenantry.holders import open_for_user, set_plan
from tenantry.identity.models import Users
from tenantry.kernel import new_id
from tenantry.kernel.context import Actor, Context, Origin
from tenantry.kernel.database import param, statement
from tenantry.kernel.sql import now
from tenantry.trials import read
from tenantry.trials.actions import working_as


async def begin(client, name="Acme", **given):
    answer = await client.post("/v1/trials", json={"name": name, **given})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def give_key(client, trial, label="robot", **given):
    answer = await client.post(f"/v1/trials/{trial['id']}/keys", json={"label": label, **given})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def move(client, trial, verb, **body):
    """The status, and the status that the trial has then or the code of the refusal."""
    answer = await client.post(f"/v1/trials/{trial['id']}/{verb}", json=body or None)
    told = answer.json()
    return answer.status_code, told.get("code") or told["status"]


async def call(program, key):
    """What the route answers a program: its plan, or the code of the refusal."""
    answer = await program.get("/v1/work", headers={"Authorization": f"Bearer {key['secret']}"})
    told = answer.json()
    return told.get("code") or told["plan"]


_add_user = statement(insert(Users).values(id=param("id"), email=param("email"), email_verified_at=now()))


async def owner(kit, plan="free"):
    """Somebody new, without a sign-in: a context as a request of theirs has it."""
    user = new_id()
    async with kit.system.service() as working:
        await working.db.run(_add_user, id=user, email=f"{user}@example.com")
        holder = await set_plan(working, await open_for_user(working, user), plan, source="admin", reason="test")
    return Context(kit.runtime, Actor("user", user), Origin(), holder)


async def inside(ctx, trial):
    """The same person, acting for the workspace."""
    return working_as(ctx, await read(ctx, trial.workspace.id))
