import { createHash } from "node:crypto";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { FilesVolume, type FilesVolumeArgs } from "./files";

/** Where the server reads its access list. */
const ACCESS_FILE = "users.acl";

/** Which server, and where its access list is kept. */
export type RedisAccess = Omit<FilesVolumeArgs, "files" | "prepare"> & {
  readonly password: pulumi.Output<string>;
  /** Name of the running container. */
  readonly container: pulumi.Input<string>;
};

/**
 * The access list in a volume of its own. A new password is added to those that were accepted
 * before, so that no reader is refused on the way; {@link PresentPassword} ends that.
 */
export function accessVolume(
  name: string,
  { password, ...files }: Omit<RedisAccess, "container">,
  opts: pulumi.ComponentResourceOptions,
): FilesVolume {
  return new FilesVolume(
    name,
    {
      ...files,
      files: {},
      prepare: password.apply((text) => acceptScript(hashOf(text), files.user)),
    },
    opts,
  );
}

/**
 * Has the running server read its access list anew: connections stay, and stay logged in. By a user
 * without a password, who may do nothing else.
 *
 * @param volume where the list has been written.
 */
export function loadAccess(
  name: string,
  container: pulumi.Input<string>,
  volume: FilesVolume,
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource {
  return new command.local.Command(
    name,
    {
      create: pulumi.interpolate`docker exec ${container} redis-cli -e --user reload --pass - --no-auth-warning ACL LOAD`,
      triggers: [volume.version],
    },
    opts,
  );
}

/**
 * The end of a new password's way: those before it are refused from here on. Belongs after
 * everything that logs in to Redis.
 */
export class PresentPassword extends pulumi.ComponentResource {
  constructor(name: string, args: RedisAccess, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:redis:PresentPassword", name, {}, opts);
    const { password, container, ...files } = args;
    const volume = new FilesVolume(
      name,
      { ...files, files: { [ACCESS_FILE]: password.apply((text) => accessList(hashOf(text))) } },
      { parent: this },
    );
    loadAccess(`${name}-load`, container, volume, { parent: this });
    this.registerOutputs({});
  }
}

/** As Redis keeps it. No guess reaches a password of 190 bits from its hash. */
const hashOf = (password: string): string =>
  `#${createHash("sha256").update(password).digest("hex")}`;

/**
 * Redis' access list. Passwords are there as their hashes only. `health` and `reload` need none:
 * one may ask whether the server answers, the other have it read this file again, so that neither
 * the check of the container nor a new password's way depends on an old one.
 *
 * @param hashes separated by spaces.
 */
function accessList(hashes: string): string {
  return [
    `user default on ${hashes} ~* &* +@all`,
    "user health on nopass -@all +ping",
    "user reload on nopass -@all +acl|load",
    "",
  ].join("\n");
}

function acceptScript(hash: string, user: string): string {
  return [
    `earlier=$(grep '^user default ' ${ACCESS_FILE} 2>/dev/null | grep -o '#[0-9a-f]*' | grep -vx '${hash}' | sed 's/^/ /' | tr -d '\\n') || true`,
    `cat > .${ACCESS_FILE}.new <<END`,
    `${accessList(`${hash}$earlier`)}END`,
    `chmod 0400 .${ACCESS_FILE}.new`,
    `chown ${user} .${ACCESS_FILE}.new`,
    `mv -f .${ACCESS_FILE}.new ${ACCESS_FILE}`,
  ].join("\n");
}
