// A client in another language: sign in, ask for a price, read the quota, sign out. Nothing but fetch.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
let folder, server, base;

before(async () => {
  const port = await freePort();
  base = `http://127.0.0.1:${port}`;
  folder = await mkdtemp(join(tmpdir(), "tenantry-node-"));
  const command = join(root, ".venv/bin/tenantry");
  server = spawn(command, ["run", "crypto_data", "--port", String(port)], { cwd: folder, stdio: "ignore" });
  for (let tries = 0; tries < 300; tries += 1) {
    assert.equal(server.exitCode, null, "the server stopped");
    if (await fetch(`${base}/healthz`).then((answer) => answer.ok, () => false)) return;
    await new Promise((resume) => setTimeout(resume, 100));
  }
  assert.fail("the server did not come up");
});

after(async () => {
  if (server.exitCode === null) {
    server.kill("SIGTERM");
    await once(server, "exit");
  }
  await rm(folder, { recursive: true, force: true });
});

test("sign in, ask for a price, see it counted, sign out", async () => {
  const cookie = await signIn("ada");
  const price = await fetch(`${base}/v1/prices/BTCUSDT`, { headers: { cookie } });
  assert.equal(price.status, 200);
  const quote = await price.json();
  assert.equal(quote.symbol, "BTCUSDT");
  assert.match(quote.price, /^\d+(\.\d+)?$/, "amounts are exact decimals in strings");
  const used = 100 - Number(price.headers.get("x-ratelimit-remaining"));

  const usage = await (await fetch(`${base}/v1/me/usage`, { headers: { cookie } })).json();
  assert.equal(usage.items[0].used, used);

  const out = { method: "POST", headers: { cookie, origin: base }, redirect: "manual" };
  assert.equal((await fetch(`${base}/auth/signout`, out)).status, 303);
  const refused = await fetch(`${base}/v1/me`, { headers: { cookie } });
  assert.equal(refused.status, 401);
  assert.equal((await refused.json()).code, "request.unauthenticated");
});

test("a form of another site cannot use the session", async () => {
  const cookie = await signIn("grace");
  const foreign = { method: "POST", headers: { cookie, origin: "https://evil.example" }, redirect: "manual" };
  assert.equal((await fetch(`${base}/auth/signout`, foreign)).status, 403);
  assert.equal((await fetch(`${base}/v1/me`, { headers: { cookie } })).status, 200);
});

test("the OpenAPI document names every problem's shape", async () => {
  const document = await (await fetch(`${base}/openapi.json`)).json();
  const answers = document.paths["/v1/prices/{symbol}"].get.responses;
  for (const status of ["401", "403", "404", "409", "429", "503"]) {
    assert.ok(answers[status]?.content["application/problem+json"], `${status} is documented`);
  }
});

async function signIn(person) {
  const started = await fetch(`${base}/auth/demo/start`, { redirect: "manual" });
  const pending = cookies(started);
  const consented = await fetch(`${started.headers.get("location")}&login_hint=${person}`, { redirect: "manual" });
  const landed = await fetch(consented.headers.get("location"), { headers: { cookie: pending }, redirect: "manual" });
  assert.equal(landed.status, 303);
  return cookies(landed);
}

function cookies(answer) {
  return answer.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .filter((pair) => !pair.endsWith("="))
    .join("; ");
}

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}
