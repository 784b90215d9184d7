// The script of passkeys: plain objects stand for the page, the browser and the device.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

const source = await readFile(new URL("../../src/tenantry/web/static/passkeys.js", import.meta.url), "utf8");
const passkeys = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const WORDS = {
  waiting: "Follow.", cancelled: "Cancelled.", exists: "Exists.", unsupported: "Unsupported.", failed: "Failed.",
};

function passkeyForm(kind = "get", { conditional = false } = {}) {
  const says = { textContent: "", hidden: true };
  const button = { hidden: true, disabled: false };
  return {
    says,
    button,
    sent: 0,
    dataset: { passkey: kind, options: "/v1/auth/passkey/options", ...WORDS, ...(conditional ? { conditional: "" } : {}) },
    elements: { challenge: { value: "" }, credential: { value: "" } },
    matches: () => true,
    querySelector: (query) => (query === "[data-passkey-says]" ? says : button),
    submit() { this.sent += 1; },
  };
}

function browser({ answer = {}, status = 200, device, forms = [], conditional = false, known } = {}) {
  const asked = [];
  const heard = {};
  const window = {
    asked,
    heard,
    timers: [],
    reloads: 0,
    location: { reload: () => (window.reloads += 1) },
    AbortController,
    setTimeout: (run, after) => window.timers.push({ run, after }),
    PublicKeyCredential: { isConditionalMediationAvailable: async () => conditional },
    navigator: { credentials: { get: device, create: device } },
    fetch: async (...call) => {
      asked.push(call);
      return { status, ok: status < 400, json: async () => answer };
    },
    document: {
      addEventListener: (name, listener) => (heard[name] = listener),
      querySelectorAll: () => forms,
      querySelector: () => known ?? null,
    },
  };
  return window;
}

const ASKED = { challenge: "passkey_abc", public_key: { challenge: "cGFzc2tleV9hYmM", rpId: "localhost", allowCredentials: [] } };
const buffer = (...numbers) => new Uint8Array(numbers).buffer;
const SHOWN = {
  id: "_-8",
  rawId: buffer(255, 239),
  type: "public-key",
  authenticatorAttachment: "platform",
  toJSON() { throw new Error("broken by an extension"); },
  response: { clientDataJSON: buffer(1), authenticatorData: buffer(2), signature: buffer(3), userHandle: null },
};

test("bytes and text are each other's reverse, in the alphabet for addresses", () => {
  const all = Uint8Array.from({ length: 256 }, (_, number) => number);
  for (const length of [0, 1, 2, 3, 255, 256]) {
    const written = passkeys.text(all.slice(0, length).buffer);
    assert.match(written, /^[\w-]*$/);
    assert.deepEqual(passkeys.bytes(written), all.slice(0, length));
  }
  assert.equal(passkeys.text(buffer(255, 239)), "_-8");
});

test("options become bytes where the browser wants bytes, and nowhere else", () => {
  const read = passkeys.options({
    challenge: "AQ", rp: { id: "localhost" }, user: { id: "Ag", name: "ada" }, excludeCredentials: [{ id: "Aw", type: "public-key" }],
  });
  assert.deepEqual([...read.challenge], [1]);
  assert.deepEqual([...read.user.id], [2]);
  assert.deepEqual([...read.excludeCredentials[0].id], [3]);
  assert.equal(read.user.name, "ada");
  assert.equal(read.rp.id, "localhost");
  assert.equal("allowCredentials" in read, false);
});

test("asJson writes a credential itself, whatever an extension did to toJSON", () => {
  assert.deepEqual(passkeys.asJson(SHOWN), {
    id: "_-8",
    rawId: "_-8",
    type: "public-key",
    authenticatorAttachment: "platform",
    response: { clientDataJSON: "AQ", authenticatorData: "Ag", signature: "Aw" },
    clientExtensionResults: {},
  });
  const made = { ...SHOWN, authenticatorAttachment: null, response: { attestationObject: buffer(4), getTransports: () => ["usb"] } };
  assert.deepEqual(passkeys.asJson(made).response, { attestationObject: "BA", transports: ["usb"] });
  assert.equal("authenticatorAttachment" in passkeys.asJson(made), false);
});

test("the button asks the server, then the device, and sends the form", async () => {
  const form = passkeyForm();
  let given;
  const window = browser({ answer: ASKED, device: async (wanted) => ((given = wanted), SHOWN) });
  await new passkeys.Page(window).go(form);
  assert.deepEqual(window.asked, [["/v1/auth/passkey/options", { method: "POST", credentials: "same-origin" }]]);
  assert.equal(new TextDecoder().decode(given.publicKey.challenge), "passkey_abc");
  assert.equal(form.elements.challenge.value, "passkey_abc");
  assert.equal(JSON.parse(form.elements.credential.value).id, "_-8");
  assert.equal(form.sent, 1);
  assert.equal(form.button.disabled, false);
});

for (const [name, said] of [
  ["NotAllowedError", "Cancelled."], ["InvalidStateError", "Exists."], ["SecurityError", "Unsupported."],
  ["NotSupportedError", "Unsupported."], ["TypeError", "Failed."],
]) {
  test(`${name} of the device is told in the page's words`, async () => {
    const form = passkeyForm("create");
    const device = async () => { throw Object.assign(new Error("x"), { name }); };
    await new passkeys.Page(browser({ answer: ASKED, device })).go(form);
    assert.equal(form.says.textContent, said);
    assert.equal(form.says.hidden, false);
    assert.equal(form.sent, 0);
    assert.equal(form.button.disabled, false);
  });
}

test("a server that refuses or cannot be reached is told too", async () => {
  for (const status of [429, 500]) {
    const form = passkeyForm();
    await new passkeys.Page(browser({ status, device: () => assert.fail("must not ask the device") })).go(form);
    assert.equal(form.says.textContent, "Failed.");
  }
  const form = passkeyForm();
  const window = browser();
  window.fetch = async () => { throw new TypeError("offline"); };
  await new passkeys.Page(window).go(form);
  assert.equal(form.says.textContent, "Failed.");
});

test("where a proof is asked for first, the page is loaded again", async () => {
  const device = () => assert.fail("must not ask the device");
  const late = browser({ status: 403, answer: { code: "identity.confirmation_needed" }, device });
  await new passkeys.Page(late).go(passkeyForm("create"));
  assert.equal(late.reloads, 1);
  const gone = browser({ status: 401, answer: { code: "request.unauthenticated" }, device });
  await new passkeys.Page(gone).go(passkeyForm("create"));
  assert.equal(gone.reloads, 1);
  const other = browser({ status: 403, answer: { code: "identity.user_banned" }, device });
  const form = passkeyForm("create");
  await new passkeys.Page(other).go(form);
  assert.equal(other.reloads, 0);
  assert.equal(form.says.textContent, "Failed.");
});

test("passkeys are offered while one types, where the browser can, and anew before the challenge is old", async () => {
  const form = passkeyForm("get", { conditional: true });
  const calls = [];
  const device = (wanted) => new Promise((_, reject) => {
    calls.push(wanted);
    wanted.signal.addEventListener("abort", () => reject(Object.assign(new Error("x"), { name: "AbortError" })));
  });
  const window = browser({ answer: ASKED, device, conditional: true });
  const page = new passkeys.Page(window);
  const waited = page.wait(form);
  await new Promise(setImmediate);
  assert.equal(calls[0].mediation, "conditional");
  assert.equal(window.timers[0].after, 240000);
  window.timers[0].run();
  assert.equal(await waited, true);
  await new Promise(setImmediate);
  assert.equal(calls.length, 2);
  assert.equal(calls[0].signal.aborted, true);
  assert.equal(calls[1].signal.aborted, false);
  assert.equal(form.says.hidden, true);
  // A timer of one that is over does nothing.
  window.timers[0].run();
  assert.equal(calls.length, 2);
});

test("where the browser cannot offer them while one types, the server is not asked", async () => {
  const window = browser({ answer: ASKED, conditional: false });
  assert.equal(await new passkeys.Page(window).wait(passkeyForm()), false);
  delete window.PublicKeyCredential.isConditionalMediationAvailable;
  assert.equal(await new passkeys.Page(window).wait(passkeyForm()), false);
  assert.deepEqual(window.asked, []);
});

test("the button comes before what waits", async () => {
  const form = passkeyForm("get", { conditional: true });
  const device = (wanted) => (wanted.mediation
    ? new Promise((_, reject) => wanted.signal.addEventListener("abort", () => reject(Object.assign(new Error("x"), { name: "AbortError" }))))
    : Promise.resolve(SHOWN));
  const page = new passkeys.Page(browser({ answer: ASKED, device, conditional: true }));
  const waited = page.wait(form);
  await new Promise(setImmediate);
  await page.go(form);
  await waited;
  assert.equal(form.sent, 1);
  assert.equal(page.waiting, null);
});

test("start shows the button where the browser can, and says so where it cannot", () => {
  const able = passkeyForm();
  const window = browser({ forms: [able] });
  passkeys.start(window);
  assert.equal(able.button.hidden, false);
  let prevented = false;
  window.heard.submit({ target: { matches: () => false }, preventDefault: () => (prevented = true) });
  assert.equal(prevented, false);
  const unable = passkeyForm();
  const old = browser({ forms: [unable] });
  delete old.PublicKeyCredential;
  passkeys.start(old);
  assert.equal(unable.button.hidden, true);
  assert.equal(unable.says.textContent, "Unsupported.");
});

test("devices are told which passkeys still open something, where they listen", () => {
  const known = { dataset: { passkeysKnown: '{"rpId":"localhost","userId":"AQ","allAcceptedCredentialIds":["Ag"]}' } };
  const window = browser({ known });
  assert.equal(passkeys.tellKnown(window.document, window), false);
  const told = [];
  window.PublicKeyCredential.signalAllAcceptedCredentials = async (list) => told.push(list);
  assert.equal(passkeys.tellKnown(window.document, window), true);
  assert.deepEqual(told[0].allAcceptedCredentialIds, ["Ag"]);
  assert.equal(passkeys.tellKnown(browser().document, window), false);
});
