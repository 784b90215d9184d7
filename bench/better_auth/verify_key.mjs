// Measures better-auth's API keys: node verify_key.mjs sqlite|postgresql ADDRESS PEOPLE
//
// Makes its tables and that many people with a key each, and says that it is ready: {"node": its version}. The line
// {"where": true} is answered by {"port", "keys"}: on that port of the loopback a plain server of Node's answers
// `POST {"key"}` with what verifyApiKey says. Each line {"times", "callers"} is answered by what a call took in this
// process (`measured.mjs`). Ends with its input.

import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { measured, opened } from "./measured.mjs";

const [kind, address, people] = process.argv.slice(2);
const QUOTA = 1_000_000_000;

// As its documentation begins. Its limit of ten requests a day is off; the quota, which ours counts too, is on.
const options = {
  appName: "bench",
  baseURL: "http://127.0.0.1:8000",
  secret: "a-secret-of-forty-characters-0123456789ab",
  database: opened(kind, address),
  emailAndPassword: { enabled: true },
  telemetry: { enabled: false },
  plugins: [apiKey({ rateLimit: { enabled: false } })],
};

await (await getMigrations(options)).runMigrations();
const auth = betterAuth(options);
const adapter = (await auth.$context).internalAdapter;
const keys = [];
for (let n = 0; n < Number(people); n++) {
  const { id } = await adapter.createUser({ email: `person${n}@example.com`, name: `Person ${n}`, emailVerified: true });
  keys.push((await auth.api.createApiKey({ body: { userId: id, remaining: QUOTA } })).key);
}

let next = 0;
async function verified() {
  const found = await auth.api.verifyApiKey({ body: { key: keys[next++ % keys.length] } });
  if (!found.valid) throw new Error(`a key was refused: ${JSON.stringify(found.error)}`);
}

const server = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const { key } = JSON.parse(Buffer.concat(parts).toString());
  const { valid, key: row } = await auth.api.verifyApiKey({ body: { key } });
  const answer = JSON.stringify({ allowed: valid, key_id: row?.id, remaining: row?.remaining });
  response.writeHead(valid ? 200 : 401, { "content-type": "application/json", "content-length": Buffer.byteLength(answer) });
  response.end(answer);
});
// Whoever asks keeps connections while others are measured.
server.keepAliveTimeout = 0;
await new Promise((done) => server.listen(0, "127.0.0.1", done));

console.log(JSON.stringify({ node: process.versions.node }));
for await (const line of createInterface({ input: process.stdin })) {
  const { where, ...how } = JSON.parse(line);
  console.log(JSON.stringify(where ? { port: server.address().port, keys } : await measured(verified, how)));
}
process.exit(0);
