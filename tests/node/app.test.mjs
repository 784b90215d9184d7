// The page script: every function gets its document handed in, so plain objects stand for it here.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

const source = await readFile(new URL("../../src/tenantry/web/static/app.js", import.meta.url), "utf8");
const app = await import(`data:text/javascript,${encodeURIComponent(source)}`);

function copyButton(text) {
  const label = { textContent: "Copy", dataset: {} };
  const root = { querySelector: () => ({ textContent: text }) };
  return { label, dataset: { done: "Copied" }, closest: () => root, querySelector: () => label };
}

function page({ theme, buttons = [], meta = { content: "" } } = {}) {
  return { dataset: theme ? { theme } : {}, meta, querySelector: () => meta, querySelectorAll: () => buttons };
}

function themeButton(value) {
  return { name: "theme", value, pressed: null, setAttribute(name, text) { this.pressed = text; } };
}

test("copy puts the text on the clipboard, says so and takes it back", async () => {
  const button = copyButton("tn_live_1");
  const written = [];
  let later;
  const done = await app.copy(button, { writeText: async (text) => written.push(text) }, (run) => (later = run));
  assert.equal(done, true);
  assert.deepEqual(written, ["tn_live_1"]);
  assert.equal(button.label.textContent, "Copied");
  later();
  assert.equal(button.label.textContent, "Copy");
});

test("copy twice still ends with the first label", async () => {
  const button = copyButton("x");
  const runs = [];
  const clipboard = { writeText: async () => {} };
  await app.copy(button, clipboard, (run) => runs.push(run));
  await app.copy(button, clipboard, (run) => runs.push(run));
  for (const run of runs) run();
  assert.equal(button.label.textContent, "Copy");
});

test("copy leaves the label alone when the browser refuses", async () => {
  const button = copyButton("x");
  const done = await app.copy(button, { writeText: async () => { throw new Error("denied"); } });
  assert.equal(done, false);
  assert.equal(button.label.textContent, "Copy");
});

function submission({ method = "post", dataset = {}, defaultPrevented = false } = {}) {
  const event = { target: { method, dataset }, defaultPrevented, prevented: 0 };
  return Object.assign(event, { preventDefault: () => (event.prevented += 1) });
}

test("sendOnce lets a form be sent once, until a while has passed", () => {
  const event = submission();
  let later;
  app.sendOnce(event, (run) => (later = run));
  assert.equal(event.prevented, 0);
  app.sendOnce(event, () => {});
  assert.equal(event.prevented, 1);
  later();
  app.sendOnce(event, () => {});
  assert.equal(event.prevented, 1);
});

test("sendOnce leaves alone what asks, and what a script sends itself", () => {
  for (const event of [submission({ method: "get" }), submission({ defaultPrevented: true })]) {
    app.sendOnce(event, assert.fail);
    app.sendOnce(event, assert.fail);
    assert.equal(event.prevented, 0);
    assert.equal("sent" in event.target.dataset, false);
  }
});

test("applyTheme sets, clears and shows the choice", () => {
  const buttons = ["system", "light", "dark"].map(themeButton);
  const root = page({ buttons });
  app.applyTheme(root, "dark");
  assert.equal(root.dataset.theme, "dark");
  assert.equal(root.meta.content, "dark");
  assert.deepEqual(buttons.map((button) => button.pressed), ["false", "false", "true"]);
  app.applyTheme(root, "system");
  assert.equal("theme" in root.dataset, false);
  assert.equal(root.meta.content, "light dark");
  app.applyTheme(root, "<script>");
  assert.equal("theme" in root.dataset, false);
});

test("chooseTheme sends the choice and stays on the page", () => {
  const sent = [];
  let prevented = false;
  const event = {
    submitter: { name: "theme", value: "light" },
    target: { action: "/preferences", matches: () => true },
    preventDefault: () => (prevented = true),
  };
  const root = page();
  assert.equal(app.chooseTheme(event, root, async (...call) => sent.push(call)), true);
  assert.equal(prevented, true);
  assert.equal(root.dataset.theme, "light");
  assert.equal(sent[0][0], "/preferences");
  assert.equal(sent[0][1].method, "POST");
  assert.equal(sent[0][1].body.get("theme"), "light");
});

test("chooseTheme leaves other forms and the language to the browser", () => {
  const event = { target: { matches: () => true }, preventDefault: () => assert.fail("must not prevent") };
  assert.equal(app.chooseTheme({ ...event, submitter: { name: "locale", value: "de" } }, page(), null), false);
  assert.equal(app.chooseTheme({ ...event, submitter: null }, page(), null), false);
  const other = { submitter: { name: "theme" }, target: { matches: () => false }, preventDefault: event.preventDefault };
  assert.equal(app.chooseTheme(other, page(), null), false);
});

function time(dateTime, textContent, local = "") {
  return { dateTime, textContent, dataset: { local }, removeAttribute() { this.isDone = true; } };
}

test("localTimes writes the reader's time and keeps the exact one as a tooltip", () => {
  const good = time("2026-11-21T23:30:00Z", "Nov 21, 2026, 11:30 PM UTC");
  const bad = time("soon", "soon");
  app.localTimes({ querySelectorAll: () => [bad, good] }, "de", "Europe/Berlin");
  assert.equal(bad.textContent, "soon");
  assert.equal(good.title, "Nov 21, 2026, 11:30 PM UTC");
  assert.match(good.textContent, /22\.11\.2026, 00:30$/);
  assert.equal(good.isDone, true);
});

test("localTimes names the zone where UTC stands near by, also across a change of clocks", () => {
  const [winter, summer] = ["2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z"].map((at) => time(at, `${at} UTC`, "zone"));
  app.localTimes({ querySelectorAll: () => [winter, summer] }, "en", "Europe/Berlin");
  assert.match(winter.textContent, /Mar 29, 2026, 1:00\sAM GMT\+1/);
  assert.match(summer.textContent, /Mar 30, 2026, 2:00\sAM GMT\+2/);
  assert.equal(summer.title, "2026-03-30T00:00:00Z UTC");
});

test("localTimes leaves a distance as it is and writes its tooltip", () => {
  const soon = time("2026-11-22T00:00:00Z", "in 11 hours", "title");
  soon.title = "Nov 22, 2026, 12:00 AM UTC";
  app.localTimes({ querySelectorAll: () => [soon] }, "en", "Asia/Kolkata");
  assert.equal(soon.textContent, "in 11 hours");
  assert.match(soon.title, /Nov 22, 2026, 5:30\sAM GMT\+5:30/);
});

function menu(inside) {
  const summary = { isFocused: false, focus() { this.isFocused = true; } };
  return { open: true, summary, contains: (node) => node === inside, querySelector: () => summary };
}

test("closeMenus closes on a click outside and on Escape, with the focus back on the button", () => {
  const inside = {};
  const clicked = menu(inside);
  app.closeMenus({ type: "click", target: inside }, { querySelectorAll: () => [clicked] });
  assert.equal(clicked.open, true);
  app.closeMenus({ type: "click", target: {} }, { querySelectorAll: () => [clicked] });
  assert.equal(clicked.open, false);

  const typed = menu(inside);
  app.closeMenus({ type: "keydown", key: "a", target: inside }, { querySelectorAll: () => [typed] });
  assert.equal(typed.open, true);
  app.closeMenus({ type: "keydown", key: "Escape", target: inside }, { querySelectorAll: () => [typed] });
  assert.equal(typed.open, false);
  assert.equal(typed.summary.isFocused, true);
});

test("improve shows copy buttons only where the browser can copy", () => {
  const button = { hidden: true };
  const part = { querySelectorAll: (query) => (query.startsWith("[data-copy]") ? [button] : []) };
  const document = { documentElement: { lang: "en" } };
  app.improve(part, { document, navigator: {} });
  assert.equal(button.hidden, true);
  app.improve(part, { document, navigator: { clipboard: {} } });
  assert.equal(button.hidden, false);
});

test("start listens and improves the page at once", () => {
  const heard = [];
  const document = {
    documentElement: { lang: "en" },
    addEventListener: (name) => heard.push(name),
    querySelectorAll: () => [],
  };
  app.start({ document, navigator: {}, fetch: null, addEventListener: (name) => heard.push(name) });
  assert.deepEqual(heard, ["click", "keydown", "submit", "pageshow", "htmx:after:swap"]);
});
