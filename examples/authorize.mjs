// Ask a product whether a key may do something, and count the call: a service of yours, in Node, without packages.
//
//   TENANTRY_URL=http://127.0.0.1:8000 SERVICE_KEY=... node authorize.mjs KEY [SCOPE]
import { pathToFileURL } from "node:url";

/** The answer of POST /v1/authorize. Throws what is wrong with the question, or with the service's own key. */
export async function authorize(url, serviceKey, question) {
  const answer = await fetch(new URL("/v1/authorize", url), {
    method: "POST",
    headers: { authorization: `Bearer ${serviceKey}`, "content-type": "application/json" },
    body: JSON.stringify(question),
    signal: AbortSignal.timeout(5_000),
  });
  const told = await answer.json();
  if (answer.ok) return told;
  throw Object.assign(new Error(`${told.code}: ${told.detail}`), { status: answer.status, code: told.code });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [key, scope] = process.argv.slice(2);
  const { TENANTRY_URL: url, SERVICE_KEY: serviceKey } = process.env;
  const told = await authorize(url, serviceKey, { key, ...(scope && { scope }) });
  console.log(JSON.stringify(told));
  process.exitCode = told.allowed ? 0 : 1;
}
