// Passkeys: forms that the device fills in (identity/passkeys/form.html). The server says what is right, in its pages;
// here is only said what the server cannot know. Everything is handed in, so tests need no browser.

const RENEW_MILLISECONDS = 4 * 60 * 1000; // A challenge lives five minutes.

/** Bytes of base64url text. */
export function bytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

/** Base64url text of bytes. */
export function text(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The server's options, with bytes where the browser wants bytes. */
export function options(json) {
  const known = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));
  const read = { ...json, challenge: bytes(json.challenge) };
  if (json.user) read.user = { ...json.user, id: bytes(json.user.id) };
  if (json.excludeCredentials) read.excludeCredentials = known(json.excludeCredentials);
  if (json.allowCredentials) read.allowCredentials = known(json.allowCredentials);
  return read;
}

/** A credential as its own toJSON() writes it, which some browsers lack and some extensions break. */
export function asJson(credential) {
  const { id, rawId, type, authenticatorAttachment, response } = credential;
  const said = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) said[name] = text(response[name]);
  }
  if (response.getTransports) said.transports = response.getTransports();
  const attachment = authenticatorAttachment ? { authenticatorAttachment } : {};
  return { id, rawId: text(rawId), type, ...attachment, response: said, clientExtensionResults: {} };
}

/** Which of a form's sentences tells what went wrong; "" for what is nothing to tell. */
export function wordFor(error) {
  const words = {
    AbortError: "",
    NotAllowedError: "cancelled",
    InvalidStateError: "exists",
    NotSupportedError: "unsupported",
    SecurityError: "unsupported",
  };
  return words[error.name] ?? "failed";
}

/** Tell something beside the button; "" takes it away. */
export function say(form, word) {
  const place = form.querySelector("[data-passkey-says]");
  place.textContent = word ? form.dataset[word] : "";
  place.hidden = !word;
}

/** Ask the server for a challenge. Null when the page has to be loaded again, because a proof is asked for first. */
export async function ask(form, window) {
  const answer = await window.fetch(form.dataset.options, { method: "POST", credentials: "same-origin" });
  if (answer.status === 401 || answer.status === 403) {
    const problem = await answer.json();
    if (problem.code === "identity.confirmation_needed" || answer.status === 401) {
      window.location.reload();
      return null;
    }
  }
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return answer.json();
}

/** Let the device make or show a passkey, and send the form. */
export async function perform(form, window, more = {}) {
  const asked = await ask(form, window);
  if (!asked) return;
  const publicKey = options(asked.public_key);
  const credentials = window.navigator.credentials;
  const credential = await credentials[form.dataset.passkey]({ publicKey, ...more });
  form.elements.challenge.value = asked.challenge;
  form.elements.credential.value = JSON.stringify(asJson(credential));
  form.submit();
}

/** One page: at most one ceremony at a time, the one that somebody asks for before the one that waits. */
export class Page {
  constructor(window) {
    this.window = window;
    this.waiting = null;
  }

  /** Somebody pressed the button. */
  async go(form) {
    this.waiting?.abort();
    this.waiting = null;
    const button = form.querySelector("[data-passkey-go]");
    button.disabled = true;
    say(form, "waiting");
    try {
      await perform(form, this.window);
    } catch (error) {
      say(form, wordFor(error));
    }
    button.disabled = false;
  }

  /** Offer passkeys while the reader fills in the address, where the browser can; renewed before it is too old. */
  async wait(form) {
    const { PublicKeyCredential, AbortController, setTimeout } = this.window;
    if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return false;
    const controller = new AbortController();
    this.waiting = controller;
    const later = () => {
      if (this.waiting !== controller) return;
      controller.abort();
      this.wait(form);
    };
    setTimeout(later, RENEW_MILLISECONDS);
    await perform(form, this.window, { mediation: "conditional", signal: controller.signal }).catch((error) => {
      // Nobody pressed anything: only what was begun in the browser's own list is told.
      if (this.waiting === controller && error.name === "NotAllowedError") say(form, "cancelled");
    });
    return true;
  }
}

/** Tell the device which passkeys of this person still open anything, where it listens. */
export function tellKnown(document, { PublicKeyCredential }) {
  const place = document.querySelector("[data-passkeys-known]");
  if (!place || !PublicKeyCredential?.signalAllAcceptedCredentials) return false;
  PublicKeyCredential.signalAllAcceptedCredentials(JSON.parse(place.dataset.passkeysKnown)).catch(() => {});
  return true;
}

export function start(window) {
  const { document } = window;
  const page = new Page(window);
  const isAble = Boolean(window.PublicKeyCredential && window.navigator.credentials);
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-passkey]")) return;
    event.preventDefault();
    page.go(event.target);
  });
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (!isAble) {
      say(form, "unsupported");
      continue;
    }
    say(form, "");
    form.querySelector("[data-passkey-go]").hidden = false;
    if ("conditional" in form.dataset) page.wait(form);
  }
  tellKnown(document, window);
  return page;
}

if (typeof window !== "undefined") start(window);
