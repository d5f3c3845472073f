import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

/**
 * A generated password. Long enough that no guess reaches it (190 bits), of letters and digits
 * only, so that it needs no escaping in a URL, an SQL string or a configuration file. Kept
 * encrypted in the stack's state and nowhere else.
 *
 * @param name resource name.
 */
export function generatedPassword(
  name: string,
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  return pulumi.secret(
    new random.RandomPassword(name, { length: 32, special: false }, opts).result,
  );
}
