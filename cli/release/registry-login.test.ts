import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { UnreadableFileError } from "../errors";
import { temporaryFolder } from "../testing/context";
import { readLogin, registryHost } from "./registry-login";

const HOST = "registry.example.com:5000";
const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** An environment with this as the Docker client's configuration, and a helper that knows a login. */
async function environment(
  test: TestContext,
  config: object | string,
  answer = { Username: "bob", Secret: "kept elsewhere" },
): Promise<NodeJS.ProcessEnv> {
  const folder = await temporaryFolder(test);
  const text = typeof config === "string" ? config : JSON.stringify(config);
  await writeFile(join(folder, "config.json"), text);
  const helper = join(folder, "docker-credential-test");
  // The protocol of docker-credential-helpers: the server on standard input, JSON back.
  await writeFile(
    helper,
    `#!/bin/sh\n[ "$1" = get ] && [ "$(cat)" = "${HOST}" ] && echo '${JSON.stringify(answer)}'\n`,
  );
  await chmod(helper, 0o755);
  return { DOCKER_CONFIG: folder, PATH: `${folder}:${process.env["PATH"] ?? ""}` };
}

void describe("registryHost", () => {
  for (const [reference, host] of [
    ["registry.example.com/team/mlops-app:v1", "registry.example.com"],
    ["registry.example.com:5000/mlops-app:v1", "registry.example.com:5000"],
    ["localhost/mlops-app:v1", "localhost"],
    ["[::1]:5000/mlops-app:v1", "[::1]:5000"],
    ["team/mlops-app:v1", undefined],
    ["mlops-app:v1.0.0", undefined],
  ] as const)
    void it(`of ${reference} is ${host ?? "Docker's own"}`, () => {
      assert.equal(registryHost(reference), host);
    });
});

void describe("readLogin", () => {
  void it("reads what docker login keeps in its file, whatever the password contains", async (test) => {
    const env = await environment(test, { auths: { [HOST]: { auth: base64("alice:a:b c") } } });
    assert.deepEqual(await readLogin(env, HOST), {
      username: "alice",
      password: "a:b c",
      serveraddress: HOST,
    });
  });

  void it("finds a login that was kept under a URL", async (test) => {
    const auths = { [`https://${HOST}/v1/`]: { auth: base64("alice:secret") } };
    assert.equal((await readLogin(await environment(test, { auths }), HOST))?.username, "alice");
  });

  void it("reads a token", async (test) => {
    const env = await environment(test, { auths: { [HOST]: { identitytoken: "t" } } });
    assert.deepEqual(await readLogin(env, HOST), { identitytoken: "t", serveraddress: HOST });
  });

  void it("asks the helper for all, and the one for the host before it", async (test) => {
    const expected = { username: "bob", password: "kept elsewhere", serveraddress: HOST };
    // What the file says of a host whose login is with a helper is empty.
    const auths = { [HOST]: {} };
    for (const config of [
      { auths, credsStore: "test" },
      { auths, credsStore: "none", credHelpers: { [HOST]: "test" } },
    ])
      assert.deepEqual(await readLogin(await environment(test, config), HOST), expected);
  });

  void it("knows a helper's token by its user", async (test) => {
    const answer = { Username: "<token>", Secret: "t" };
    const env = await environment(test, { credsStore: "test" }, answer);
    assert.deepEqual(await readLogin(env, HOST), { identitytoken: "t", serveraddress: HOST });
  });

  void it("has none where nobody logged in: no file, another host, a helper that knows none", async (test) => {
    const none = { DOCKER_CONFIG: join(await temporaryFolder(test), "none") };
    assert.equal(await readLogin(none, HOST), undefined);
    const auths = { "other.example.com": { auth: base64("alice:secret") } };
    assert.equal(await readLogin(await environment(test, { auths }), HOST), undefined);
    const env = await environment(test, { credsStore: "test" });
    assert.equal(await readLogin(env, "other.example.com"), undefined);
    assert.equal(
      await readLogin(await environment(test, { credsStore: "missing" }), HOST),
      undefined,
    );
  });

  void it("names the file where it is broken, or closed", async (test) => {
    const broken = await environment(test, "{");
    await assert.rejects(readLogin(broken, HOST), (error) => {
      assert.ok(error instanceof UnreadableFileError);
      assert.match(error.message, /config\.json cannot be read \(it is not JSON\)/);
      return true;
    });
    const folder = await temporaryFolder(test);
    await mkdir(join(folder, "config.json"));
    await assert.rejects(readLogin({ DOCKER_CONFIG: folder }, HOST), UnreadableFileError);
  });
});
