import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { describe, it, type TestContext } from "node:test";
import { temporaryFolder } from "../testing/context";
import { Load } from "./load";
import { CLASSES, classOf, type Sample } from "./protocol";
import { summarizeLoad } from "./summary";

const ANSWER = JSON.stringify({ version: "v1" });
const answer: RequestListener = (_, response) => response.end(ANSWER);

/** Starts a load on a server of this test's own. */
async function startLoad(
  test: TestContext,
  listener: RequestListener,
  timeout = 5,
): Promise<{ load: Load; connections: () => number; closeListener: () => void }> {
  const server = createServer({ keepAliveTimeout: 60_000 }, listener);
  let connections = 0;
  server.on("connection", () => (connections += 1));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const load = Load.start(process.cwd(), {
    url: `http://127.0.0.1:${port}`,
    rate: 200,
    timeout,
    row: { column: 1, other: "x" },
    markerColumn: "column",
    firstMarker: 1000,
  });
  test.after(() => {
    load.kill();
    server.closeAllConnections();
    server.close();
  });
  return { load, connections: () => connections, closeListener: () => server.close() };
}

/** Waits until the load has ended so many requests that fit. */
async function samplesOf(
  load: Load,
  count: number,
  fits: (sample: Sample) => boolean = () => true,
): Promise<Sample[]> {
  for (;;) {
    load.requireRunning();
    const found = load.samples.filter(fits);
    if (found.length >= count) return found;
    await delay(20);
  }
}

const failing = ({ failure }: Sample): boolean => failure !== undefined;

void describe("a load", () => {
  void it("sends all classes alike, each request once, with a marker of its own in each POST", async (test) => {
    const bodies: string[] = [];
    let received = 0;
    const { load, connections } = await startLoad(test, (request, response) => {
      received += 1;
      if (request.method === "POST") void text(request).then((body) => bodies.push(body));
      response.end(ANSWER);
    });
    await samplesOf(load, 200);
    const samples = await load.stop();
    assert.deepEqual(samples.filter(failing), []);
    assert.equal(received, samples.length);
    const counts = CLASSES.map(
      (name) => samples.filter((sample) => classOf(sample) === classOf(name)).length,
    );
    // Those that open the kept-alive connections come on top.
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 9, counts.join());
    const markers = samples.flatMap(({ marker }) => marker ?? []).sort((a, b) => a - b);
    assert.deepEqual(
      markers,
      markers.map((_, index) => 1000 + index),
    );
    const rows = bodies.map((body) => JSON.parse(body) as { rows: { column: number }[] });
    assert.deepEqual(
      rows.map((row) => row.rows[0]?.column ?? 0).sort((a, b) => a - b),
      markers,
    );
    // One for each new one, and a few that are kept.
    const fresh = samples.filter(({ connection }) => connection === "new").length;
    assert.ok(connections() >= fresh + 16 && connections() < fresh + 40, String(connections()));
    assert.ok(samples.every(({ version }) => version === "v1"));
  });

  void it("says which requests failed and how", async (test) => {
    let number = 0;
    const { load } = await startLoad(
      test,
      (request, response) => {
        number += 1;
        // In turn over the classes, since that number is prime to theirs.
        if (number % 7 === 1) request.socket.destroy();
        else if (number % 7 === 2) response.writeHead(502).end("<html>");
        else if (number % 7 === 3) response.writeHead(404).end(ANSWER);
        else if (number % 7 === 4) response.end("no JSON");
        else if (number % 7 !== 5) response.end(ANSWER);
      },
      1,
    );
    await samplesOf(load, 40, ({ failure }) => failure === "timeout");
    const { failures, failed, requests } = summarizeLoad(await load.stop());
    const share = requests / 7;
    for (const [kind, expected] of [
      ["reset", share],
      ["5xx", share],
      ["other", 2 * share],
      ["timeout", share],
    ] as const)
      assert.ok(Math.abs((failures[kind] ?? 0) - expected) <= 2, `${kind} ${failures[kind]}`);
    assert.equal(
      Object.values(failures).reduce((a, b) => a + b),
      failed,
    );
  });

  void it("does not send again what a kept-alive connection lost", async (test) => {
    const used = new WeakSet<Socket>();
    let lost = 0;
    const { load } = await startLoad(test, (request, response) => {
      // As a server that closes what was idle, just when the next request comes.
      if (used.has(request.socket)) {
        lost += 1;
        request.socket.destroy();
        return;
      }
      used.add(request.socket);
      response.end(ANSWER);
    });
    await samplesOf(load, 20, failing);
    const failures = (await load.stop()).filter(failing);
    assert.equal(failures.length, lost);
    assert.ok(failures.every((sample) => sample.failure === "reset"));
    assert.ok(failures.every((sample) => sample.connection === "reused"));
  });

  void it("is refused by a closed port on new connections", async (test) => {
    const { load, closeListener } = await startLoad(test, answer);
    await samplesOf(load, 10);
    closeListener();
    const [sample] = await samplesOf(load, 1, ({ failure }) => failure === "refused");
    assert.equal(sample?.detail, "ECONNREFUSED");
  });

  void it("goes on sending while a server stands still, and counts the wait as latency", async (test) => {
    const held: (() => void)[] = [];
    let hold = false;
    const { load } = await startLoad(test, (_, response) => {
      if (hold) held.push(() => response.end(ANSWER));
      else response.end(ANSWER);
    });
    await samplesOf(load, 20);
    hold = true;
    while (held.length < 100) await delay(10);
    hold = false;
    for (const release of held) release();
    const samples = await load.stop();
    assert.deepEqual(samples.filter(failing), []);
    const stood = samples.filter(({ dueAt, endedAt }) => endedAt - dueAt > 100);
    assert.ok(stood.length > 50, `${stood.length} waited`);
    assert.ok(summarizeLoad(samples).longestGap > 200);
  });

  void it("sends a slow request on command, which may take that much longer", async (test) => {
    const { load } = await startLoad(
      test,
      (request, response) => {
        if (request.url === "/drill/slow?seconds=2")
          void delay(2000).then(() => response.end(ANSWER));
        else response.end(ANSWER);
      },
      1,
    );
    load.slow(2);
    const [sample] = await samplesOf(load, 1, ({ kind }) => kind === "slow");
    assert.equal(sample?.failure, undefined);
    assert.equal(sample?.version, "v1");
  });

  void it("is missed when its process ends by itself", async (test) => {
    const elsewhere = await temporaryFolder(test);
    const load = Load.start(elsewhere, {
      url: "http://127.0.0.1:1",
      rate: 1,
      timeout: 1,
      row: {},
      markerColumn: "column",
      firstMarker: 0,
    });
    await assert.rejects(samplesOf(load, 1), /ended by itself with exit code 1/);
  });
});
