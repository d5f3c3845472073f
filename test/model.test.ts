import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { after, before, describe, it } from "node:test";
import { Sandbox } from "./sandbox";

interface Listed {
  readonly versions: readonly {
    readonly version: string;
    readonly aliases: readonly string[];
    readonly served_by: number;
    readonly previous: string | null;
  }[];
}

/** Asks for predictions all the time, each on a connection of its own. */
class Client {
  readonly answers: { readonly status: number; readonly version: string | undefined }[] = [];
  private asking = true;
  private readonly done: Promise<void>;

  constructor(
    private readonly url: string,
    private readonly body: string,
  ) {
    this.done = this.ask();
  }

  /** Versions of the models that answered, each once, in the order in which they came. */
  get versions(): (string | undefined)[] {
    return [...new Set(this.answers.map(({ version }) => version))];
  }

  async stop(): Promise<void> {
    this.asking = false;
    await this.done;
  }

  private async ask(): Promise<void> {
    while (this.asking) {
      const headers = { "Cache-Control": "no-cache", Connection: "close" };
      const { url, body } = this;
      const answer = await fetch(`${url}/predict`, { method: "POST", headers, body });
      const { model } = (await answer.json()) as { readonly model?: { readonly version: string } };
      this.answers.push({ status: answer.status, version: model?.version });
      await delay(20);
    }
  }
}

void describe("going back to an earlier model", () => {
  let sandbox: Sandbox;
  let url: string;
  before(async () => {
    sandbox = await Sandbox.create("dev", { appReplicas: "2", appHostPort: "0" });
    const { output } = await sandbox.succeed("up");
    url = /url\s+(http:\/\/\S+)/.exec(output)?.[1] ?? "";
    await sandbox.succeed("train");
    await sandbox.succeed("train");
  });
  after(() => sandbox.remove());

  const rollBack = (...args: string[]): ReturnType<Sandbox["run"]> =>
    sandbox.run(["model", "rollback", ...args, "--stack", sandbox.stack]);
  const list = async (): Promise<Listed["versions"]> => {
    const { exitCode, stdout, output } = await sandbox.run([
      ..."model list --json --stack".split(" "),
      sandbox.stack,
    ]);
    assert.equal(exitCode, 0, output);
    return (JSON.parse(stdout) as Listed).versions;
  };

  void it("lists what was trained, and what every app serves", async () => {
    const versions = await list();
    assert.deepEqual(
      versions.map(({ version, aliases, previous }) => [version, aliases, previous]),
      [
        ["2", ["champion"], "1"],
        ["1", [], null],
      ],
    );
  });

  void it("swaps every app while it serves: no restart, no failed request", async () => {
    const rows = (await example(url)).rows;
    const client = new Client(url, JSON.stringify({ rows }));
    const { exitCode, output } = await rollBack();
    const swapped = client.answers.length + 1; // one may have been under way
    while (client.answers.length < swapped + 20) await delay(20);
    await client.stop();

    assert.equal(exitCode, 0, output);
    assert.match(output, /version 1 is served now instead of version 2/);
    assert.deepEqual([...new Set(client.answers.map(({ status }) => status))], [200]);
    assert.deepEqual(client.versions, ["2", "1"]);
    assert.ok(client.answers.slice(swapped).every(({ version }) => version === "1"));
    assert.deepEqual(
      (await list()).map(({ version, aliases, served_by }) => [version, aliases, served_by]),
      [
        ["2", [], 0],
        ["1", ["champion"], 2],
      ],
    );
  });

  void it("refuses to go further back than the first version", async () => {
    const { exitCode, output } = await rollBack();
    assert.equal(exitCode, 1);
    assert.match(output, /no earlier version/);
  });

  void it("refuses a version that there is none of, and names those that there are", async () => {
    const { exitCode, output } = await rollBack("9");
    assert.equal(exitCode, 1);
    assert.match(output, /has no version 9\. The newest versions are: 2, 1/);
  });

  void it("serves a version by its number", async () => {
    const { exitCode, output } = await rollBack("2");
    assert.equal(exitCode, 0, output);
    assert.deepEqual(
      (await list()).map(({ served_by, previous }) => [served_by, previous]),
      [
        [2, "1"],
        [0, null],
      ],
    );
  });
});

/** The request that the API's description shows. */
async function example(url: string): Promise<{ readonly rows: readonly unknown[] }> {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as {
    readonly paths: Record<
      string,
      { post: { requestBody: { content: Record<string, { example: { rows: unknown[] } }> } } }
    >;
  };
  const found = paths["/predict"]?.post.requestBody.content["application/json"]?.example;
  assert.ok(found !== undefined);
  return found;
}
