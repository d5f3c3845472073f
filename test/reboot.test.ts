import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { after, before, describe, it } from "node:test";
import { BASE_IMAGE } from "../cli/setup/base-image";
import { CONTENT_LABEL, buildCommand } from "../components/image-build";
import { imageSources } from "../components/platform";
import { readConfig } from "../config";
import { stackSource } from "../config/project";
import { serviceImage } from "../images/testing/sandbox";
import { Machine } from "./machine";
import { docker, runProgram, Sandbox } from "./sandbox";

const WITHIN_MS = 120_000;
const OPTIONS = {
  timeout: 10 * 60_000,
  skip: process.getuid?.() === 0 ? false : "a machine of its own needs root",
};
/** Prints the status of an answer, or why there was none. */
const STATUS = `fetch(process.argv[1], { signal: AbortSignal.timeout(70000) })
  .then(({ status }) => status, ({ cause }) => cause?.code ?? "none")
  .then((what) => console.log(what))`;
/** Asks for one prediction after another, of rows that are in no cache, and tells each answer. */
const PREDICTIONS = `(async () => {
  const url = process.argv[1];
  const { paths } = await (await fetch(url + "/openapi.json")).json();
  const { example } = paths["/predict"].post.requestBody.content["application/json"];
  const [row] = example.rows;
  const [column] = Object.keys(row);
  for (let marker = 1000; ; marker += 1) {
    const body = JSON.stringify({ rows: [{ ...row, [column]: marker }] });
    const headers = { "Content-Type": "application/json" };
    const { status } = await fetch(url + "/predict", { method: "POST", headers, body });
    console.log(status);
  }
})()`;

void describe("a stack on a machine that restarts", OPTIONS, () => {
  let machine: Machine;
  let sandbox: Sandbox;
  let url: string;
  let services: readonly string[];
  const hostBefore = process.env["DOCKER_HOST"];

  const container = (service: string): string => `mlops-${sandbox.stack}-${service}`;
  const [appOf, allOf] = [
    ["--filter", "label=mlops.service=app"],
    ["--format", '{{.Label "mlops.service"}} {{.Status}}'],
  ];
  /** Runs Node in the machine's network; returns what it printed. */
  const inMachine = async (script: string, ...args: readonly string[]): Promise<string> => {
    const [program, ...line] = [...machine.within(), process.execPath, "--eval", script];
    const { exitCode, stdout, output } = await runProgram(program, [...line, ...args]);
    assert.equal(exitCode, 0, output);
    return stdout.trim();
  };
  const healthyServices = async (): Promise<string[]> =>
    (await docker("ps", ...allOf))
      .filter((line) => line.endsWith("(healthy)"))
      .map((line) => line.split(" ")[0] ?? "")
      .sort();
  const predict = async (): Promise<string> => {
    const { stdout } = await sandbox.succeed("predict", "--json");
    return (JSON.parse(stdout) as { model: { version: string } }).model.version;
  };
  /** Rows of the prediction log, by their ids. */
  const rows = async (): Promise<string[]> => {
    const psql = "psql --no-psqlrc --tuples-only --no-align --username=postgres --dbname=mlops";
    const query = "--command=SELECT id FROM prediction_log";
    return docker("exec", container("postgres"), ...psql.split(" "), query);
  };
  /** All that is there without a command: every service, the model, at the URL that it had. */
  const assertIsBack = async (): Promise<void> => {
    await until("all services healthy", async () => {
      const healthy = await healthyServices();
      return healthy.length === services.length ? undefined : `healthy: ${healthy.join(", ")}`;
    });
    await until("a model to answer with", async () => {
      const status = await inMachine(STATUS, `${url}/health/ready`);
      return status === "200" ? undefined : status;
    });
    assert.deepEqual(await healthyServices(), services);
    assert.equal(await predict(), "1");
  };
  const assertHasRows = async (known: readonly string[]): Promise<void> => {
    assert.ok(known.length > 0);
    const present = new Set(await rows());
    assert.deepEqual(
      known.filter((id) => !present.has(id)),
      [],
    );
  };

  before(async () => {
    machine = await Machine.create();
    sandbox = await Sandbox.create("dev", {}, machine.within);
    const images = await buildImages();
    await machine.boot();
    await machine.load(images);
    // From here on everything in this process is about that engine.
    process.env["DOCKER_HOST"] = machine.host;
    const { stdout } = await sandbox.succeed("up", "--json");
    url = (JSON.parse(stdout) as { outputs: { url: string } }).outputs.url;
    await sandbox.succeed("train");
    services = await healthyServices();
    assert.ok(services.includes("nginx") && services.includes("app"));
  });
  after(async () => {
    if (hostBefore === undefined) delete process.env["DOCKER_HOST"];
    else process.env["DOCKER_HOST"] = hostBefore;
    await machine.remove();
    await rm(sandbox.root, { recursive: true, force: true });
  });

  void it("is back after a shutdown, without a command", async () => {
    assert.equal(await predict(), "1");
    await until("a row of the prediction", async () =>
      (await rows()).length > 0 ? undefined : "none",
    );
    const known = await rows();
    await machine.shutDown();
    await machine.boot();
    await assertIsBack();
    await assertHasRows(known);
  });

  void it("is back with every row after its power failed while it answered", async () => {
    const [program, ...line] = [...machine.within(), process.execPath, "--eval", PREDICTIONS];
    const client = spawn(program, [...line, url], { stdio: ["ignore", "pipe", "ignore"] });
    const ended = once(client, "close");
    let answered = 0;
    createInterface({ input: client.stdout }).on("line", (status) => {
      if (status === "200") answered += 1;
    });
    const earlier = (await rows()).length;
    await until("rows of 100 answers", async () => {
      const count = (await rows()).length - earlier;
      return answered >= 100 && count >= 100 ? undefined : `${answered} answers, ${count} rows`;
    });
    const known = await rows();
    await machine.cutPower();
    await ended;
    await machine.boot();
    await assertIsBack();
    await assertHasRows(known);
  });

  void it("has an nginx that waits for an app which takes longer than all the rest", async () => {
    const [app = ""] = await docker("ps", "--quiet", ...appOf);
    const [nanoCpus] = await docker("inspect", "--format", "{{.HostConfig.NanoCpus}}", app);
    // Its start of some seconds takes minutes.
    await docker("update", "--cpus", "0.02", app);
    await machine.cutPower();
    await machine.boot();
    const others = services.filter((service) => service !== "app");
    await until("all other services healthy", async () => {
      const healthy = await healthyServices();
      const missing = others.filter((service) => !healthy.includes(service));
      return missing.length === 0 ? undefined : missing.join(", ");
    });
    for (let request = 0; request < 20; request += 1)
      assert.match(await inMachine(STATUS, `${url}/health/ready`), /^50[23]$/);
    const state = "{{.State.Running}} {{.RestartCount}}";
    assert.deepEqual(await docker("inspect", "--format", state, container("nginx")), ["true 0"]);
    await docker("update", "--cpus", String(Number(nanoCpus) / 1e9), app);
    await assertIsBack();
  });
});

/** Makes sure of all images of a stack on the host; returns their names. */
async function buildImages(): Promise<string[]> {
  // Its agent is bundled into the folder that its name is made of.
  await serviceImage("backup");
  const sources = Object.values(imageSources(readConfig(stackSource(process.cwd(), "dev", {}))));
  for (const source of sources) {
    assert.equal(source.kind, "build");
    const labels = { [CONTENT_LABEL]: source.content };
    const env = { ...process.env, DOCKER_BUILDKIT: "1" };
    const { context, reference } = source;
    const command = buildCommand({ context, reference, labels });
    const { exitCode, output } = await runProgram("sh", ["-c", command], { env });
    assert.equal(exitCode, 0, output);
  }
  return [BASE_IMAGE, ...sources.map(({ reference }) => reference)];
}

/** Waits until a check has nothing to complain of. */
async function until(what: string, check: () => Promise<string | undefined>): Promise<void> {
  const deadline = Date.now() + WITHIN_MS;
  for (;;) {
    const complaint = await check();
    if (complaint === undefined) return;
    assert.ok(Date.now() < deadline, `not within ${WITHIN_MS / 1000} s: ${what}: ${complaint}`);
    await delay(200);
  }
}
