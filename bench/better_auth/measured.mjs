// What both programs share: where their rows are, and how a call is measured.

import Sqlite from "better-sqlite3";
import pg from "pg";

const CONNECTIONS = 10;

export function opened(kind, address) {
  if (kind === "postgresql") return new pg.Pool({ connectionString: address, max: CONNECTIONS });
  const file = new Sqlite(address);
  file.pragma("journal_mode = WAL");
  return file;
}

// What a call took: `times` of them, shared by `callers`. CPU is that of the whole process, as on the other side.
export async function measured(one, { times, callers }) {
  const waits = [];
  async function caller() {
    for (let n = Math.floor(times / callers); n > 0; n--) {
      const before = performance.now();
      await one();
      waits.push((performance.now() - before) * 1000);
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
