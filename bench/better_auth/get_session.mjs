// Measures better-auth's getSession: node get_session.mjs sqlite|postgresql ADDRESS PEOPLE
//
// Makes its tables, that many people with a session each, and says that it is ready: {"node": its version}. Each line
// {"joins", "times", "callers"} is then answered by what a call took: {"p50_us", "p99_us", "max_us", "cpu_us",
// "per_second"}. CPU is that of the whole process, as on the other side. Ends with its input.

import { createHmac } from "node:crypto";
import { createInterface } from "node:readline";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { measured, opened } from "./measured.mjs";

const SECRET = "a-secret-of-forty-characters-0123456789ab";
const [kind, address, people] = process.argv.slice(2);

// As its documentation begins; the cookie that would save it the database for minutes stays off, because a session that
// was ended would go on (it is off as it comes).
const options = {
  appName: "bench",
  baseURL: "http://127.0.0.1:8000",
  secret: SECRET,
  database: opened(kind, address),
  emailAndPassword: { enabled: true },
  telemetry: { enabled: false },
};

async function signedIn(auth, n) {
  const adapter = (await auth.$context).internalAdapter;
  const user = await adapter.createUser({ email: `person${n}@example.com`, name: `Person ${n}`, emailVerified: true });
  const { token } = await adapter.createSession(user.id);
  const signature = createHmac("sha256", SECRET).update(token).digest("base64");
  const headers = new Headers({
    host: "127.0.0.1:8000",
    "user-agent": "bench",
    accept: "application/json",
    "accept-language": "en",
    cookie: `better-auth.session_token=${encodeURIComponent(`${token}.${signature}`)}`,
  });
  return { headers, user: user.id };
}

let next = 0;
async function found(auth, who) {
  const { headers, user } = who[next++ % who.length];
  const session = await auth.api.getSession({ headers });
  if (session?.user.id !== user) throw new Error("getSession found somebody else, or nobody");
}

await (await getMigrations(options)).runMigrations();
const plain = betterAuth(options);
const joining = betterAuth({ ...options, advanced: { database: { joins: true } } });
const who = [];
for (let n = 0; n < Number(people); n++) who.push(await signedIn(plain, n));

console.log(JSON.stringify({ node: process.versions.node }));
for await (const line of createInterface({ input: process.stdin })) {
  const { joins, ...how } = JSON.parse(line);
  console.log(JSON.stringify(await measured(() => found(joins ? joining : plain, who), how)));
}
process.exit(0);
