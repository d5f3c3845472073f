import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { Sandbox, serviceImage } from "./testing/sandbox";

/** Users and data directories that the stack counts on. */
const IMAGES = [
  { name: "postgres", user: "999:999", data: "/var/lib/postgresql/data" },
  { name: "redis", user: "999:1000", data: "/data" },
  { name: "nginx", user: "101:101", data: "/etc/nginx/conf.d" },
  { name: "prometheus", user: "65534:65534", data: "/prometheus" },
  { name: "exporters", user: "65534:65534", data: undefined },
  { name: "mlflow", user: "10001:10001", data: "/mlflow/artifacts" },
] as const;

/** Programs that writing files into a volume takes. */
const TOOLS = "sh base64 cat chmod chown mkdir mv";

for (const { name, user, data } of IMAGES)
  void describe(`${name} image`, async () => {
    const sandbox = new Sandbox();
    const image = await serviceImage(name);
    after(() => sandbox.remove());
    const root = async (script: string): Promise<string> =>
      sandbox.docker(
        "run --rm --interactive --user 0 --entrypoint sh".split(" ").concat(image),
        script,
      );

    void it("names its user, whose number has a name in the image", async () => {
      assert.equal(await sandbox.inspect(image, ".Config.User"), user);
      await root(`getent passwd ${user.replace(/:.*/, "")}`);
    });

    void it("hands its data directory to that user by way of an empty volume", async () => {
      if (data === undefined) return;
      const volumes = { [data]: await sandbox.volume("data") };
      const command = ["-c", `touch ${data}/file && stat --format %u:%g ${data}`];
      const { output } = await sandbox.once({ image, user, volumes, entrypoint: "sh", command });
      assert.equal(output, user);
    });

    void it("has no program that lends its owner's rights, and no private key", async () => {
      assert.equal(await root("find / -xdev -type f -perm /6000"), "");
      assert.equal(
        await root(
          "grep -rlI --include=*.key --include=*.pem 'PRIVATE KEY' /etc /root /opt || true",
        ),
        "",
      );
    });

    void it("declares no volume and carries no package cache", async () => {
      assert.equal(await sandbox.inspect(image, ".Config.Volumes"), "map[]");
      assert.equal(await root("ls -A /root/.cache 2>/dev/null || true"), "");
    });

    void it("has what writing files into a volume takes", async () => {
      await root(`for tool in ${TOOLS}; do command -v $tool || exit 1; done`);
    });
  });
