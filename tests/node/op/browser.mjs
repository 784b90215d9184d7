// As much of a browser as a sign-in needs: it keeps cookies by host and follows nothing by itself.
export class Browser {
  constructor(cookies = new Map()) {
    this.cookies = cookies;
  }

  async go(url, options = {}) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { ...(cookie && { cookie }), ...options.headers };
    const answer = await fetch(url, { ...options, headers, redirect: "manual" });
    for (const line of answer.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(";");
      const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
      const isGone = !value || attributes.some((one) => /^\s*(max-age=0|expires=thu, 01 jan 1970)/i.test(one));
      if (isGone) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }

  // Follow redirects until one leads below `stop`; answers that address.
  async follow(url, stop) {
    for (let hops = 0; hops < 10; hops += 1) {
      const answer = await this.go(url);
      const next = answer.headers.get("location");
      if (!next) throw new Error(`${url} answered ${answer.status}: ${(await answer.text()).slice(0, 300)}`);
      url = new URL(next, url).href;
      if (url.startsWith(stop)) return url;
    }
    throw new Error("too many redirects");
  }

  copy() {
    return new Browser(new Map(this.cookies));
  }
}
