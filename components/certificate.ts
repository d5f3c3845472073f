import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { FilesVolume, type FilesVolumeArgs } from "./files";
import type { FilledVolume } from "./spec";

/** Arguments of {@link Certificate}. */
export interface CertificateArgs extends Pick<
  FilesVolumeArgs,
  "context" | "service" | "image" | "user"
> {
  /** Host name that the certificate is for. */
  readonly host: string;
}

/** Longest life that browsers accept from certificates of this kind, in days. */
const DAYS = 825;

/**
 * A self-signed certificate and its key, together in `tls.pem` so that they are replaced together.
 * The key is made where it is used and never leaves the volume; a certificate that is good for
 * another month and for the host name is kept.
 */
export class Certificate extends pulumi.ComponentResource implements FilledVolume {
  readonly volumeName: pulumi.Output<string>;
  readonly version: pulumi.Output<string>;
  readonly ready: pulumi.Resource;

  constructor(name: string, args: CertificateArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:tls:Certificate", name, {}, opts);
    const { context, service, image, user, host } = args;
    const subject = /^[\d.]+$/.test(host) ? `IP:${host}` : `DNS:${host}`;
    const volume = new FilesVolume(
      name,
      { context, service, image, user, files: { subject } },
      { parent: this },
    );
    const generate = new command.local.Command(
      `${name}-generate`,
      {
        create: pulumi.interpolate`docker run --rm --interactive --network none --user ${user} --cap-drop ALL --read-only --tmpfs /tmp --entrypoint sh --volume ${volume.volumeName}:/certs ${image} -s`,
        stdin: generateScript(host, subject),
        triggers: [volume.version],
      },
      { parent: this, dependsOn: [volume.ready] },
    );
    this.version = generate.id;
    this.volumeName = volume.volumeName;
    this.ready = generate;
    this.registerOutputs({});
  }
}

function generateScript(host: string, subject: string): string {
  const flag = subject.startsWith("IP:") ? "-checkip" : "-checkhost";
  return `set -eu
umask 077
cd /certs
if [ -s tls.pem ] && openssl x509 -in tls.pem -noout -checkend 2592000 >/dev/null &&
  openssl x509 -in tls.pem -noout ${flag} ${host} | grep -q 'does match'; then
  exit 0
fi
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days ${DAYS} -quiet \\
  -subj '/CN=${host}' -addext 'subjectAltName=${subject}' -keyout .key -out .certificate
cat .certificate .key > .tls.pem.new
rm -f .certificate .key
mv -f .tls.pem.new tls.pem
`;
}
