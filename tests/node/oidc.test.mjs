// Signing in with a certified provider: the whole way, over HTTP on loopback, with the real application on SQLite.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";

import { Browser } from "./op/browser.mjs";
import { CLIENT_ID, CLIENT_SECRET, startProvider } from "./op/provider.mjs";

const PYTHON = fileURLToPath(new URL("../../.venv/bin/python", import.meta.url));
const SERVE = fileURLToPath(new URL("op/serve.py", import.meta.url));
let app, back, folder, origin, provider;
let said = "";

before(async () => {
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  back = `${origin}/auth/oidc/callback`;
  provider = await startProvider(back);
  folder = await mkdtemp(join(tmpdir(), "tenantry-op-"));
  app = spawn(PYTHON, [SERVE, folder, String(port), provider.issuer, CLIENT_ID, CLIENT_SECRET]);
  for (const stream of [app.stdout, app.stderr]) stream.on("data", (data) => (said += data));
  await until(async () => (await fetch(`${origin}/readyz`)).ok);
}, { timeout: 30_000 });

after(async () => {
  if (app?.exitCode === null) {
    const gone = new Promise((done) => app.once("exit", done));
    app.kill();
    await gone;
  }
  await provider?.close();
  if (folder) await rm(folder, { recursive: true });
});

test("code, PKCE, nonce and iss: a person is signed in and known", async () => {
  const browser = new Browser();
  const { url, callback } = await goThrough(browser, "ada");
  const asked = new URL(url).searchParams;
  assert.equal(asked.get("code_challenge_method"), "S256");
  assert.equal(asked.get("response_type"), "code");
  for (const name of ["state", "nonce", "code_challenge"]) assert.match(asked.get(name), /^[\w-]{43,}$/);
  assert.equal(new URL(callback).searchParams.get("iss"), provider.issuer);
  const landed = await browser.go(callback);
  assert.deepEqual([landed.status, landed.headers.get("location")], [303, "/dashboard"]);
  const me = await (await browser.go(`${origin}/v1/me`)).json();
  assert.deepEqual([me.email, me.email_verified, me.name], ["ada@example.com", true, "Ada Lovelace"]);
  const accounts = await (await browser.go(`${origin}/v1/me/accounts`)).json();
  assert.deepEqual(accounts.items.map((one) => one.provider), ["oidc"]);
});

test("the same person again is the same user", async () => {
  const ids = [];
  for (const browser of [new Browser(), new Browser()]) {
    await browser.go((await goThrough(browser, "grace")).callback);
    ids.push((await (await browser.go(`${origin}/v1/me`)).json()).id);
  }
  assert.equal(ids[0], ids[1]);
});

test("who says no is not signed in", async () => {
  const browser = new Browser();
  const { callback } = await goThrough(browser, "nobody");
  assert.equal(new URL(callback).searchParams.get("error"), "access_denied");
  await refused(await browser.go(callback), 403, "identity.sign_in_denied");
  assert.equal(browser.cookies.has("session"), false);
});

test("an unverified address registers nobody", async () => {
  const browser = new Browser();
  await refused(await browser.go((await goThrough(browser, "mallory")).callback), 403, "identity.email_unverified");
  assert.equal(browser.cookies.has("session"), false);
});

test("a code works once, also with the browser's note put back", async () => {
  const browser = new Browser();
  const { callback } = await goThrough(browser, "ada");
  const thief = browser.copy();
  assert.equal((await browser.go(callback)).status, 303);
  provider.grants.refused.length = 0;
  await refused(await thief.go(callback), 400, "identity.sign_in_expired");
  assert.deepEqual(provider.grants.refused, ["invalid_grant"]);
  assert.equal(thief.cookies.has("session"), false);
});

test("a callback in another browser, or of another issuer, is refused", async () => {
  const browser = new Browser();
  const { callback } = await goThrough(browser, "ada");
  await refused(await new Browser().go(callback), 400, "identity.sign_in_expired");
  const mixed = new URL(callback);
  mixed.searchParams.set("iss", "https://another-issuer.example");
  await refused(await browser.go(mixed), 400, "identity.sign_in_mixed_up");
});

test("a stolen code is worth nothing without the verifier", async () => {
  const { callback } = await goThrough(new Browser(), "ada");
  const form = {
    grant_type: "authorization_code", code: new URL(callback).searchParams.get("code"), redirect_uri: back,
    client_id: CLIENT_ID, client_secret: CLIENT_SECRET, code_verifier: "a".repeat(43),
  };
  const answer = await fetch(`${provider.issuer}/token`, { method: "POST", body: new URLSearchParams(form) });
  assert.deepEqual([answer.status, (await answer.json()).error], [400, "invalid_grant"]);
});

test("the provider's token is refreshed, one after the other and many at once", async () => {
  const browser = new Browser();
  await browser.go((await goThrough(browser, "ada")).callback);
  const before = provider.grants.refresh_token;
  const first = await token(browser);
  const second = await token(browser);
  assert.notEqual(first, second);
  assert.equal(provider.grants.refresh_token, before + 2);
  const many = await Promise.all(Array.from({ length: 6 }, () => token(browser)));
  // Each was refreshed in turn, or taken from who was faster; no refresh token was used twice, which ends the grant.
  assert.ok(many.every(Boolean));
  const told = await fetch(`${provider.issuer}/me`, { headers: { authorization: `Bearer ${await token(browser)}` } });
  assert.equal((await told.json()).sub, "ada");
});

test("a disconnected account's tokens are over at the provider", async () => {
  const browser = new Browser();
  await browser.go((await goThrough(browser, "grace")).callback);
  const given = await token(browser);
  const [account] = (await (await browser.go(`${origin}/v1/me/accounts`)).json()).items;
  const told = () => fetch(`${provider.issuer}/me`, { headers: { authorization: `Bearer ${given}` } });
  assert.equal((await told()).status, 200);
  const before = provider.grants.revoked;
  const gone = await browser.go(`${origin}/v1/me/accounts/${account.id}`, { method: "DELETE", headers: { origin } });
  assert.equal(gone.status, 204, await gone.text());
  await until(async () => provider.grants.revoked > before);
  await until(async () => (await told()).status === 401);
});

test("no secret was said aloud", () => {
  assert.doesNotMatch(said, new RegExp(CLIENT_SECRET));
  assert.doesNotMatch(said, /Traceback|code=[\w-]{20,}/);
});

// From our start to the address of our callback, which is not asked for yet.
async function goThrough(browser, person) {
  const started = await browser.go(`${origin}/auth/oidc/start`);
  const url = started.headers.get("location");
  return { url, callback: await browser.copy().follow(`${url}&login_hint=${person}`, back) };
}

async function token(browser) {
  const answer = await browser.go(`${origin}/v1/op/token`);
  assert.equal(answer.status, 200, await answer.clone().text());
  return (await answer.json()).token;
}

async function refused(answer, status, code) {
  assert.deepEqual([answer.status, (await answer.json()).code], [status, code]);
}

async function until(ready) {
  for (;;) {
    assert.equal(app.exitCode, null, said);
    if (await ready().catch(() => false)) return;
    await new Promise((done) => setTimeout(done, 100));
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}
