import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse, stringify } from "yaml";
import { docker, runProgram, Sandbox, type Ended } from "./sandbox";

const SENTINEL = "sentinel-of-a-secret-in-the-configuration";

interface PreviewJson {
  readonly worst: string;
  readonly classes: readonly { readonly name: string; readonly impact: string }[];
}

void describe("previews and plans of a stack that runs", () => {
  let sandbox: Sandbox;
  let tags: readonly [old: string, next: string];
  let plan: string;
  before(async () => {
    sandbox = await Sandbox.create("staging");
    tags = [`v1.0.0-${sandbox.stack}`, `v2.0.0-${sandbox.stack}`];
    plan = join(sandbox.root, "next.plan");
    for (const tag of tags) await succeed("build", tag);
    await succeed("deploy", tags[0], "--stack", sandbox.stack);
  });
  after(async () => {
    await sandbox.remove();
    for (const tag of tags) await runProgram("docker", ["image", "rm", `mlops-app:${tag}`]);
  });

  const succeed = async (...args: readonly string[]): Promise<string> => {
    const ended = await sandbox.run(args);
    assert.equal(ended.exitCode, 0, ended.output);
    return ended.output;
  };
  const preview = async (tag: string, ...args: readonly string[]): Promise<Ended> => {
    const ended = await sandbox.run(["preview", "--stack", sandbox.stack, ...args], { TAG: tag });
    assert.equal(ended.exitCode, 0, ended.output);
    return ended;
  };
  const container = (service: string): string => `mlops-${sandbox.stack}-${service}`;
  const live = async (): Promise<string[]> =>
    docker(
      ...["ps", "--filter", `label=mlops.stack=${sandbox.stack}`],
      ...["--format", '{{.ID}} {{.Names}} {{.Label "mlops.version"}}'],
    );

  /** Refused for a reason, with everything as it was. */
  async function assertRefused(args: readonly string[], reason: RegExp): Promise<void> {
    const before = await live();
    const { exitCode, output } = await sandbox.run(args);
    assert.notEqual(exitCode, 0, output);
    assert.match(output, reason);
    assert.deepEqual(await live(), before);
  }

  /** Runs some work with other values in the stack's configuration. */
  async function withConfig(
    values: Readonly<Record<string, string>>,
    work: () => Promise<void>,
  ): Promise<void> {
    const file = join(sandbox.root, `Pulumi.${sandbox.stack}.yaml`);
    const original = readFileSync(file, "utf8");
    const content = parse(original) as { config: Record<string, string> };
    for (const [key, value] of Object.entries(values)) content.config[`mlops:${key}`] = value;
    writeFileSync(file, stringify(content));
    try {
      await work();
    } finally {
      writeFileSync(file, original);
    }
  }

  void it("says of a new release that nobody notices it", async () => {
    const { stdout } = await preview(tags[1]);
    assert.match(stdout, /replace Container \S+-app +no downtime +the new one takes over/);
    assert.match(stdout, /Worst of \d+ changes: no downtime\./);
  });

  void it("says of nginx's configuration that it is reloaded", async () => {
    const file = join(sandbox.root, "components/nginx-config.ts");
    const original = readFileSync(file, "utf8");
    const changed = original.replace("proxy_read_timeout 600s", "proxy_read_timeout 601s");
    assert.notEqual(changed, original);
    writeFileSync(file, changed);
    try {
      const { worst, classes } = JSON.parse(
        (await preview(tags[0], "--json")).stdout,
      ) as PreviewJson;
      assert.equal(worst, "reload");
      assert.deepEqual(
        classes.filter(({ impact }) => impact === "reload").map(({ name }) => name),
        [container("nginx-reload")],
      );
    } finally {
      writeFileSync(file, original);
    }
  });

  void it("does not touch protected data unless it is asked for by a flag", () =>
    withConfig({ protectData: "true", logMaxSize: "11m" }, () =>
      assertRefused(
        ["deploy", tags[0], "--stack", sandbox.stack],
        /protects its data.+replace \S+-postgres: .+--allow-data/s,
      ),
    ));

  void it("saves what it showed, for the owner's eyes, without any secret", async () => {
    const ended = await sandbox.pulumi(["config", "set", "elsewhere:token", SENTINEL, "--secret"]);
    assert.equal(ended.exitCode, 0, ended.output);
    const { output } = await preview(tags[1], "--save-plan", plan);
    assert.match(output, /\.\/mlops deploy --plan/);
    assert.equal(statSync(plan).mode & 0o777, 0o600);
    const [pgpass] = await docker("exec", container("mlflow"), "cat", "/run/secrets/pgpass");
    const [redis] = await docker(
      ...["exec", container("redis-exporter"), "cat", "/run/secrets/passwords.json"],
    );
    const passwords = [pgpass?.split(":").at(-1), /:"(.+)"/.exec(redis ?? "")?.[1]];
    for (const password of passwords) assert.match(password ?? "", /^[A-Za-z0-9]{32}$/);
    const content = readFileSync(plan, "utf8");
    for (const secret of [...passwords, SENTINEL]) assert.ok(!content.includes(secret ?? ""));
  });

  void it("refuses a plan for another stack, or once the configuration is another", async () => {
    await assertRefused(
      ["deploy", "--plan", plan, "--stack", "staging"],
      new RegExp(`for stack "${sandbox.stack}", not for "staging"`),
    );
    await withConfig({ logLevel: "debug" }, () =>
      assertRefused(["deploy", "--plan", plan], /configuration has changed since: mlops:logLevel/),
    );
  });

  void it("refuses a plan once its tag stands for something else", async () => {
    const [old, next] = tags.map((tag) => `mlops-app:${tag}`);
    assert.ok(old !== undefined && next !== undefined);
    const [id = ""] = await docker("image", "inspect", "--format", "{{.Id}}", next);
    await docker("tag", old, next);
    try {
      await assertRefused(["deploy", "--plan", plan], new RegExp(`${next} was ${id} and is now`));
    } finally {
      await docker("tag", id, next);
    }
  });

  void it("applies a plan, with the tag that is in it", async () => {
    await succeed("deploy", "--plan", plan);
    const versions = (await live()).map((line) => line.split(" ")[2]);
    assert.deepEqual(
      versions.filter((version) => version !== ""),
      [tags[1]],
    );
  });

  void it("refuses a plan once the stack has moved on", () =>
    assertRefused(["deploy", "--plan", plan], /the stack has changed since/));
});
