import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import * as pulumi from "@pulumi/pulumi";
import { LocalWorkspace, type Stack, type UpResult } from "@pulumi/pulumi/automation/index.js";
import { createContext } from "../cli/context";
import { BASE_IMAGE } from "../cli/setup/base-image";
import { setUp } from "../cli/setup";
import type { StackContext } from "../components/context";
import { DataVolume } from "../components/volume";
import { docker, runProgram } from "./sandbox";

/** What a program may call, and put into, the component whose volume it is. */
interface Shape {
  readonly name: string;
  /** Name of a component around it. @default none */
  readonly parent?: string;
  /** Where it was before. @default nowhere, as far as the program says */
  readonly alias?: pulumi.Alias;
  readonly protectData?: boolean;
}

const STACK = "volumes";

void describe("a data volume whose component is renamed or moved", { timeout: 300_000 }, () => {
  const prefix = `mlops-test-${randomBytes(3).toString("hex")}`;
  /** The one that the stack works with. */
  let volume = "";
  let folder: string;
  let stack: Stack;
  let deployed: Shape = { name: "first" };
  let env: Readonly<Record<string, string | undefined>>;
  let unprotect: readonly string[];

  const deploy = async (shape: Shape): Promise<UpResult> => {
    deployed = shape;
    const result = await stack.up({ color: "never" });
    volume = String(result.outputs["volume"]?.value);
    return result;
  };
  const inVolume = (...command: readonly string[]): Promise<string[]> =>
    docker("run", "--rm", "--network=none", `--volume=${volume}:/data`, BASE_IMAGE, ...command);
  const assertSameData = async (): Promise<void> => {
    assert.deepEqual(await inVolume("cat", "/data/row"), ["acknowledged"]);
  };
  /** Operations of a deployment that did something. */
  const operations = ({ summary }: UpResult): Readonly<Record<string, number>> => {
    const all = Object.entries(summary.resourceChanges ?? {});
    return Object.fromEntries(all.filter(([operation]) => operation !== "same"));
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "mlops-volumes-"));
    const tools = await setUp(createContext(process.cwd(), process.env), {
      retry: "./mlops test",
      images: true,
    });
    // Plugins and the engine are found by the PATH that set-up made.
    const { PATH = "", ...toolchain } = tools.env;
    const envVars: Record<string, string> = {
      ...toolchain,
      PATH,
      PULUMI_BACKEND_URL: `file://${folder}`,
      PULUMI_CONFIG_PASSPHRASE: "of a test",
    };
    delete envVars["PULUMI_CONFIG_PASSPHRASE_FILE"];
    env = { ...process.env, ...envVars };
    // The workspace looks for Pulumi before it has its own environment.
    process.env["PATH"] = PATH;
    stack = await LocalWorkspace.createStack(
      {
        stackName: STACK,
        projectName: "volumes",
        program: () => Promise.resolve({ volume: makeVolume(prefix, deployed).volumeName }),
      },
      { envVars },
    );
  });
  after(async () => {
    await runProgram("docker", ["volume", "rm", volume]);
    await rm(folder, { recursive: true, force: true });
  });

  void it("is made under the name of stack, service and purpose", async () => {
    await deploy({ name: "first" });
    assert.equal(volume, `${prefix}-keeper-data`);
    await inVolume("sh", "-c", "echo acknowledged >/data/row");
  });

  void it("is not even looked at where the new name has an alias", async () => {
    const result = await deploy({ name: "second", alias: { name: "first" } });
    assert.deepEqual(operations(result), {});
    await assertSameData();
  });

  void it("nor where it moved into another component, with an alias", async () => {
    const alias = { name: "second", parent: pulumi.rootStackResource };
    const result = await deploy({ name: "third", parent: "around", alias });
    assert.deepEqual(operations(result), { create: 1 });
    await assertSameData();
  });

  void it("is adopted with its data where the alias was forgotten", async () => {
    const result = await deploy({ name: "fourth" });
    assert.deepEqual(operations(result), { create: 2, delete: 3 });
    await assertSameData();
  });

  void it("is not forgotten where it is protected, until the named command is run", async () => {
    await deploy({ name: "fourth", protectData: true });
    await assert.rejects(deploy({ name: "fifth", protectData: true }), (error: Error) => {
      const urn = /`pulumi state unprotect '([^']+)'`/.exec(error.message)?.[1];
      assert.match(urn ?? error.message, /::fourth$/);
      unprotect = ["state", "unprotect", urn ?? "", "--yes", "--stack", STACK];
      return true;
    });
    await assertSameData();
    const { exitCode, output } = await runProgram("pulumi", unprotect, {
      cwd: stack.workspace.workDir,
      env,
    });
    assert.equal(exitCode, 0, output);
    await deploy({ name: "fifth", protectData: true });
    await assertSameData();
  });

  void it("stays on the host when all is destroyed, which protection forbids", async () => {
    await assert.rejects(stack.destroy({ color: "never" }), /protected/);
    await deploy({ name: "fifth", protectData: false });
    await stack.destroy({ color: "never" });
    await assertSameData();
  });
});

function makeVolume(prefix: string, shape: Shape): DataVolume {
  const context: StackContext = {
    stack: prefix,
    prefix,
    networks: { public: "", application: "", data: "" },
    bindAddress: "127.0.0.1",
    log: { maxSize: "1m", maxFiles: 1 },
    protectData: shape.protectData ?? false,
  };
  const around =
    shape.parent === undefined
      ? undefined
      : new pulumi.ComponentResource("test:index:Around", shape.parent);
  return new DataVolume(
    shape.name,
    { context, service: "keeper", purpose: "data" },
    {
      ...(around === undefined ? {} : { parent: around }),
      ...(shape.alias === undefined ? {} : { aliases: [shape.alias] }),
    },
  );
}
