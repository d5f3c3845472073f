import * as pulumi from "@pulumi/pulumi";

/** A resource as the program described it. */
export interface Recorded {
  readonly type: string;
  readonly name: string;
  /** Inputs with every output resolved; secrets are unwrapped and listed in `secrets`. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Names of the inputs that contain a secret. */
  readonly secrets: readonly string[];
}

/** The key by which Pulumi marks a secret in a serialised value. */
const SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d";

/** Pulumi's runtime has one monitor for the whole process: recordings take their turns. */
let turn: Promise<unknown> = Promise.resolve();

/**
 * Runs a program against Pulumi's mocks and returns every resource it registers, in the order of
 * their names.
 */
export function record(program: () => unknown, stack = "test"): Promise<Recorded[]> {
  const recording = turn.then(() => recordNow(program, stack));
  turn = recording.catch(() => undefined);
  return recording;
}

async function recordNow(program: () => unknown, stack: string): Promise<Recorded[]> {
  const recorded: Recorded[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: (args) => {
        const inputs = args.inputs as Record<string, unknown>;
        recorded.push({
          type: args.type,
          name: args.name,
          inputs: unwrap(inputs) as Record<string, unknown>,
          secrets: Object.keys(inputs).filter((key) => hasSecret(inputs[key])),
        });
        return { id: `${args.name}-id`, state: { ...inputs, ...provided(args.type, args.name) } };
      },
      call: (args) => args.inputs as Record<string, unknown>,
    },
    "mlops",
    stack,
  );
  program();
  await pulumi.runtime.disconnect();
  return recorded.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What a real provider would fill in. */
function provided(type: string, name: string): Record<string, unknown> {
  switch (type) {
    case "docker:index/remoteImage:RemoteImage":
      return { imageId: `sha256:${name}` };
    case "random:index/randomPassword:RandomPassword":
      return { result: `password-of-${name}` };
    case "docker:index/container:Container":
      return { name };
    default:
      return {};
  }
}

function isSecret(value: object): value is { value: unknown } {
  return SECRET_SIGNATURE in value;
}

function unwrap(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrap);
  if (typeof value !== "object" || value === null) return value;
  if (isSecret(value)) return unwrap(value.value);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, unwrap(inner)]));
}

function hasSecret(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return isSecret(value) || Object.values(value).some(hasSecret);
}
