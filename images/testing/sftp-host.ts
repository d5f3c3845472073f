import type { RepositoryConfig } from "../../config";
import { eventually, serviceImage, type Sandbox } from "./sandbox";

/** Arguments of {@link startSftpHost}. */
export interface SftpHostArgs {
  readonly sandbox: Sandbox;
  /** Name of the container, under which it is found in the network. */
  readonly name: string;
  readonly network: string;
  /** Image with OpenSSH's client, which makes the key. */
  readonly image: string;
}

/** Starts an sshd with room for a repository; returns what a stack's configuration says of it. */
export async function startSftpHost({
  sandbox,
  name,
  network,
  image,
}: SftpHostArgs): Promise<RepositoryConfig> {
  const makeKey = "ssh-keygen -q -t ed25519 -N '' -f /tmp/key; cat /tmp/key.pub /tmp/key";
  const client = ["run", "--rm", "--network=none", image, "sh", "-euc", makeKey];
  const [publicKey = "", ...privateKey] = (await sandbox.docker(client)).split("\n");
  const authorized = await sandbox.files({ image, user: "0:0" }, { keeper: publicKey }, "0444");
  await sandbox.docker([
    ...["run", "--detach", `--name=${name}`, `--network=${network}`],
    `--volume=${authorized}:/authorized:ro`,
    await serviceImage("testing/sftp"),
  ]);
  const knownHosts = await eventually("sshd answers", async () => {
    const { output } = await sandbox.exec(name, "ssh-keyscan", "-q", "localhost");
    return output.includes("localhost ")
      ? output.replaceAll(/^localhost /gm, `${name} `)
      : undefined;
  });
  return {
    type: "sftp",
    user: "keeper",
    host: name,
    port: 22,
    path: "/srv/backups",
    sshKey: `${privateKey.join("\n")}\n`,
    knownHosts: `${knownHosts}\n`,
  };
}
