import assert from "node:assert/strict";
import { chmod, mkdir, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runProgram } from "../exec";
import { testBed } from "../testing/context";
import { ensureDockerClient } from "./docker-client";
import { privateBin } from "./programs";

void describe("ensureDockerClient", () => {
  void it("finds a client that builds with BuildKit, and finds it again without asking", async (test) => {
    const { context, stderr } = await testBed(test);
    const folders = await ensureDockerClient(context, "./mlops up");
    const path = [...folders, context.env["PATH"]].join(":");
    await writeFile(
      join(context.root, "Dockerfile"),
      "FROM scratch\nCOPY --chmod=600 Dockerfile /\n",
    );
    const tag = `mlops-client-test:${process.pid}`;
    const env = { PATH: path, DOCKER_BUILDKIT: "1" };
    try {
      await runProgram("docker", ["build", "--quiet", "--tag", tag, context.root], { env });
    } finally {
      await runProgram("docker", ["image", "rm", tag], { env, reject: false });
    }
    assert.deepEqual(await ensureDockerClient(context, "./mlops up"), folders);
    assert.equal(stderr(), "");
  });

  void it("passes over another program of that name, for everything that is started", async (test) => {
    const { context } = await testBed(test);
    const bin = join(context.root, "bin");
    await mkdir(bin);
    await writeFile(join(bin, "docker"), "#!/bin/sh\necho podman version 4.3.1\n");
    await chmod(join(bin, "docker"), 0o755);
    const env = { ...context.env, PATH: `${bin}:${context.env["PATH"] ?? ""}` };
    const folders = await ensureDockerClient({ ...context, env }, "./mlops up");
    assert.deepEqual(folders, [privateBin(context)]);
    assert.notEqual(await readlink(join(privateBin(context), "docker")), join(bin, "docker"));
    const { stdout } = await runProgram("docker", ["--version"], {
      env: { PATH: [...folders, env.PATH].join(":") },
    });
    assert.match(stdout, /^Docker version/);
  });
});
