// Measures better-auth's getSession: node get_session.mjs sqlite|postgresql ADDRESS PEOPLE
//
// Makes its tables, that many people with a session each, and says that it is ready: {"node": its version}. Each line
// {"joins", "times", "callers"} is then answered by what a call took: {"p50_us", "p99_us", "max_us", "cpu_us",
// "per_second"}. CPU is that of the whole process, as on the other side. Ends with its input.

import { createHmac } from "node:crypto";
import { createInterface } from "node:readline";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import Sqlite from "better-sqlite3";
import pg from "pg";

const SECRET = "a-secret-of-forty-characters-0123456789ab";
const CONNECTIONS = 10;
const [kind, address, people] = process.argv.slice(2);

function opened() {
  if (kind === "postgresql") return new pg.Pool({ connectionString: address, max: CONNECTIONS });
  const file = new Sqlite(address);
  file.pragma("journal_mode = WAL");
  return file;
}

// As its documentation begins; the cookie that would save it the database for minutes stays off, because a session that
// was ended would go on (it is off as it comes).
const options = {
  appName: "bench",
  baseURL: "http://127.0.0.1:8000",
  secret: SECRET,
  database: opened(),
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

async function measured(auth, who, { times, callers }) {
  const waits = [];
  let next = 0;
  async function caller() {
    for (let n = Math.floor(times / callers); n > 0; n--) {
      const { headers, user } = who[next++ % who.length];
      const before = performance.now();
      const found = await auth.api.getSession({ headers });
      waits.push((performance.now() - before) * 1000);
      if (found?.user.id !== user) throw new Error("getSession found somebody else, or nobody");
    }
  }
  const [cpu, started] = [process.cpuUsage(), performance.now()];
  await Promise.all(Array.from({ length: callers }, caller));
  const [spent, elapsed] = [process.cpuUsage(cpu), performance.now() - started];
  waits.sort((one, other) => one - other);
  return {
    p50_us: waits[Math.floor(waits.length * 0.5)],
    p99_us: waits[Math.floor(waits.length * 0.99)],
    max_us: waits.at(-1),
    cpu_us: (spent.user + spent.system) / waits.length,
    per_second: (waits.length / elapsed) * 1000,
  };
}

await (await getMigrations(options)).runMigrations();
const plain = betterAuth(options);
const joining = betterAuth({ ...options, advanced: { database: { joins: true } } });
const who = [];
for (let n = 0; n < Number(people); n++) who.push(await signedIn(plain, n));

console.log(JSON.stringify({ node: process.versions.node }));
for await (const line of createInterface({ input: process.stdin })) {
  const { joins, ...how } = JSON.parse(line);
  console.log(JSON.stringify(await measured(joins ? joining : plain, who, how)));
}
process.exit(0);
