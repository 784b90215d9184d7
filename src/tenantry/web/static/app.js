// Small improvements over pages that work without them. Everything is handed in, so tests need no browser.

/** Copy the text beside a button and say so on the button for a moment. Returns false when the browser refuses. */
export async function copy(button, clipboard, later = setTimeout) {
  const { textContent } = button.closest("[data-copy-root]").querySelector("[data-copy-text]");
  const label = button.querySelector("[data-copy-label]");
  if (!(await clipboard.writeText(textContent).then(() => true, () => false))) return false;
  label.dataset.before ??= label.textContent;
  label.textContent = button.dataset.done;
  later(() => (label.textContent = label.dataset.before), 2000);
  return true;
}

/** Show a theme at once; "system" leaves the choice to the browser. */
export function applyTheme(root, theme) {
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  else delete root.dataset.theme;
  const meta = root.querySelector('meta[name="color-scheme"]');
  if (meta) meta.content = root.dataset.theme ?? "light dark";
  for (const button of root.querySelectorAll('[data-preferences] button[name="theme"]')) {
    button.setAttribute("aria-pressed", String(button.value === theme));
  }
}

/** Change the theme without loading the page again; the server still remembers it. False: let the form be sent. */
export function chooseTheme(event, root, send) {
  const { submitter, target } = event;
  if (submitter?.name !== "theme" || !target.matches("[data-preferences]")) return false;
  event.preventDefault();
  applyTheme(root, submitter.value);
  const body = new URLSearchParams({ theme: submitter.value, return_to: "/" });
  send(target.action, { method: "POST", body, redirect: "manual" }).catch(() => {});
  return true;
}

/**
 * Let a form be sent once. A second click would use a link or a code that the first one has used up, and be told so; or
 * send a second mail. A form that is still there after a while, or that one comes back to, may be sent again.
 */
export function sendOnce(event, later = setTimeout) {
  const { target, defaultPrevented } = event;
  if (defaultPrevented || target.method !== "post") return;
  if ("sent" in target.dataset) {
    event.preventDefault();
    return;
  }
  target.dataset.sent = "";
  later(() => delete target.dataset.sent, 8000);
}

/** Write times in the reader's own zone, the UTC text becoming the tooltip; with "title" only the tooltip is written. */
export function localTimes(root, locale, zone) {
  const format = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", timeZone: zone });
  const named = new Intl.DateTimeFormat(locale, { timeZoneName: "short", timeZone: zone });
  for (const element of root.querySelectorAll("time[data-local]")) {
    const [moment, kind] = [new Date(element.dateTime), element.dataset.local];
    if (Number.isNaN(moment.getTime())) continue;
    const name = named.formatToParts(moment).find(({ type }) => type === "timeZoneName").value;
    if (kind !== "title") element.title = element.textContent;
    element[kind === "title" ? "title" : "textContent"] = format.format(moment) + (kind ? ` ${name}` : "");
    element.removeAttribute("data-local");
  }
}

/** Close open menus when the reader presses Escape or turns to something outside them. */
export function closeMenus(event, root) {
  if (event.type === "keydown" && event.key !== "Escape") return;
  for (const menu of root.querySelectorAll("details[data-menu][open]")) {
    const isInside = menu.contains(event.target);
    if (event.type !== "keydown" && isInside) continue;
    menu.open = false;
    if (isInside) menu.querySelector("summary").focus();
  }
}

/** Improve a page, or a part of it that has just arrived. */
export function improve(part, { document, navigator }) {
  localTimes(part, document.documentElement.lang || undefined);
  if (navigator.clipboard) for (const button of part.querySelectorAll("[data-copy][hidden]")) button.hidden = false;
}

export function start(window) {
  const { document, navigator } = window;
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (button) copy(button, navigator.clipboard);
    closeMenus(event, document);
  });
  document.addEventListener("keydown", (event) => closeMenus(event, document));
  document.addEventListener("submit", (event) => {
    chooseTheme(event, document.documentElement, window.fetch);
    sendOnce(event);
  });
  // A page that the browser kept comes back as it was left.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
  document.addEventListener("htmx:after:swap", () => improve(document, window));
  improve(document, window);
}

if (typeof window !== "undefined") start(window);
