// Programs that a check starts, and ends: the live page, and the shop of the demo under load.
import { spawn } from "node:child_process";

// Whatever a check that failed has left running.
const started = new Set();
process.on("exit", () => started.forEach((child) => child.kill("SIGKILL")));

export function start(...args) {
  const child = spawn(...args);
  started.add(child);
  child.on("exit", () => started.delete(child));
  return child;
}

// Serves a directory until it is told to stop.
export async function serve(heaptide, dir, args = [], env = {}) {
  const child = start(heaptide, ["serve", dir, "--listen", "127.0.0.1:0", ...args], { env: { ...process.env, ...env } });
  let said = "";
  const address = await new Promise((resolve, reject) => {
    child.stderr.on("data", (data) => {
      said += data;
      const found = said.match(/http:\/\/\S+/);
      if (found) resolve(found[0]);
    });
    child.on("exit", () => reject(new Error(said)));
  });
  return { address, pid: child.pid, said: () => said, stop: () => end(child) };
}

// The shop, with its leak or without, recorded by the real shim into `dir` while two shoppers visit it.
export async function shop(heaptide, dir, { leaks }) {
  const recording = { HEAPTIDE_OUT: dir, HEAPTIDE_INTERVAL: "300ms", HEAPTIDE_SIGNAL: "USR2", HEAPTIDE_FINISH_ON_TERM: "1" };
  const child = start(heaptide, ["demo-shop", ...(leaks ? ["--no-reaper"] : [])], { env: { ...process.env, ...recording }, stdio: ["ignore", "pipe", "inherit"] });
  const address = await new Promise((resolve, reject) => {
    child.stdout.once("data", (data) => resolve(String(data).trim()));
    child.once("error", reject);
  });
  let isOpen = true;
  const visit = async () => {
    for (let n = 0; isOpen; n += 1) {
      await fetch(`http://${address}/login?name=user${n}`, { method: "POST" }).then((answer) => answer.text());
    }
  };
  const visits = Promise.all([visit(), visit()]);
  return { pid: child.pid, stop: async () => { isOpen = false; await visits; await end(child); } };
}

export function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => { child.on("exit", resolve); child.kill("SIGTERM"); });
}

// What `ask` says as soon as it is something; an error after so many seconds.
export async function until(what, ask, seconds = 300) {
  for (const last = Date.now() + 1000 * seconds; Date.now() < last;) {
    const said = await ask();
    if (said) return said;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`${what} did not come within ${seconds} s`);
}
