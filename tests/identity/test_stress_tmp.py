import asyncio, pytest
@pytest.mark.parametrize("n", range(8))
async def test_x(kit, n):
    clients = [await kit.client() for _ in range(10)]
    backs = [await kit.consent("ada", await c.get("/auth/demo/start")) for c in clients]
    landed = await asyncio.gather(*(c.get(b) for c, b in zip(clients, backs)))
    assert [x.status_code for x in landed] == [303]*10, [x.text[:300] for x in landed if x.status_code!=303]
