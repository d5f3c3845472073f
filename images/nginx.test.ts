import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually, Sandbox, serviceImage, type RunOptions } from "./testing/sandbox";

const USER = "101:101";
const HEALTH = "busybox wget -q -O /dev/null http://127.0.0.1:8081/healthz".split(" ");

/** A site that answers every request with one text, and a status server. */
const site = (text: string): string => `
server { listen 8080; location / { return 200 "${text}\\n"; } }
server {
  listen 8081;
  location = /healthz { return 200 "ok\\n"; }
  location = /stub_status { stub_status; }
}
`;

void describe("nginx image", () => {
  const sandbox = new Sandbox();
  let image: string;
  before(async () => {
    image = await serviceImage("nginx");
  });
  after(() => sandbox.remove());

  async function options(conf: string): Promise<RunOptions> {
    const configuration = await sandbox.files({ image, user: USER }, { "site.conf": conf });
    return {
      image,
      user: USER,
      files: { "/etc/nginx/conf.d": configuration },
      tmpfs: ["/run", "/var/cache/nginx"],
      publish: 8080,
    };
  }

  void it("serves the sites of conf.d and logs to the container's output", async () => {
    const container = await sandbox.start(await options(site("first")));
    await sandbox.healthy(container, ...HEALTH);
    const response = await fetch(`http://${await sandbox.address(container, 8080)}/some/path`);
    assert.equal(await response.text(), "first\n");
    assert.equal(response.headers.get("server"), "nginx");
    await eventually("the request is in the log", async () =>
      (await sandbox.logs(container)).includes('"GET /some/path HTTP/1.1" 200') ? true : undefined,
    );
    await sandbox.docker(["kill", "--signal=QUIT", container]);
    assert.equal(await sandbox.docker(["wait", container]), "0");
  });

  void it("takes a changed file at a reload, without a new container", async () => {
    const own = await options(site("before"));
    const container = await sandbox.start(own);
    await sandbox.healthy(container, ...HEALTH);
    const address = await sandbox.address(container, 8080);
    const volume = own.files?.["/etc/nginx/conf.d"] ?? "";
    const write = "cat >/conf.d/next && mv /conf.d/next /conf.d/site.conf";
    const mount = ["--volume", `${volume}:/conf.d`, "--user", USER];
    await sandbox.docker(
      ["run", "--rm", "--interactive", ...mount, image, "sh", "-c", write],
      site("after"),
    );
    const test = await sandbox.exec(container, "nginx", "-t");
    assert.equal(test.exitCode, 0, test.output);
    assert.equal((await sandbox.exec(container, "nginx", "-s", "reload")).exitCode, 0);
    // A connection per request: a reload closes idle ones, just when a client may use them again.
    const headers = { connection: "close" };
    await eventually("the new answer", async () =>
      (await (await fetch(`http://${address}/`, { headers })).text()) === "after\n"
        ? true
        : undefined,
    );
  });

  void it("names the line of a mistake", async () => {
    const own = await options("server { listen 8080; nonsense on; }\n");
    const { output, exitCode } = await sandbox.once({ ...own, command: ["nginx", "-t"] });
    assert.equal(exitCode, 1, output);
    assert.match(output, /unknown directive "nonsense" in \/etc\/nginx\/conf\.d\/site\.conf:1/);
  });
});
