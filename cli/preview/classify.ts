import type { Change } from "./changes";
import { digest } from "./digest";
import { containerImpact } from "./container-impact";
import { unknown, type Judgement } from "./impact";

/** A change with what it does. */
export interface ClassifiedChange extends Judgement {
  readonly urn: string;
  readonly name: string;
  readonly type: string;
  readonly operation: string;
  /** Top-level inputs that differ. */
  readonly differs: readonly string[];
  /** Digest of all that is known of the change: equal for equal changes. */
  readonly fingerprint: string;
}

/** Judges every change of a preview by what the engine says of it. */
export function classify(changes: readonly Change[]): readonly ClassifiedChange[] {
  return changes.map((change) => {
    const { urn, name, type, operation, differs } = change;
    const fingerprint = digest(change);
    return { urn, name, type, operation, differs, fingerprint, ...judge(change) };
  });
}

const OPERATIONS = new Set(["create", "update", "replace", "delete"]);

function judge(change: Change): Judgement {
  const { operation, type } = change;
  if (!OPERATIONS.has(operation)) return unknown(`the operation "${operation}"`);
  switch (type) {
    case "docker:index/container:Container":
      return containerImpact(change);
    case "docker:index/volume:Volume":
      return volume(change);
    case "docker:index/network:Network":
      return network(change);
    case "docker:index/remoteImage:RemoteImage":
      return harmless("images stay on the host, whatever refers to them");
    case "random:index/randomPassword:RandomPassword":
      return harmless("set in the running servers; what reads it is a row of its own");
    case "command:local:Command":
      return command(change);
    default:
      return unknown(type);
  }
}

function volume({ operation, labels, isRetained }: Change): Judgement {
  if (operation === "create") return harmless("a new volume");
  if (labels["mlops.data"] === undefined)
    return harmless("holds files that are made again; what reads them is a row of its own");
  return {
    impact: "touches data",
    ...serviceOf(labels),
    why:
      operation === "delete" && isRetained
        ? "the stack forgets this data; the volume itself stays on the host"
        : "this volume holds data",
  };
}

function network({ operation }: Change): Judgement {
  return operation === "create"
    ? harmless("a new network")
    : downtime("all services", "every container on it is cut off until it is back");
}

/** Commands by the component that they belong to, the innermost first. */
const COMMANDS: readonly (readonly [
  component: string,
  judgement: (change: Change) => Judgement,
])[] = [
  ["mlops:docker:Image", () => harmless("builds or pulls an image unless it is there")],
  ["mlops:docker:Job", job],
  [
    "mlops:storage:FilesVolume",
    () => harmless("writes files; what reads them is a row of its own"),
  ],
  ["mlops:tls:Certificate", () => harmless("what reads the certificate is a row of its own")],
  ["mlops:release:ReleaseCheck", () => harmless("a step of the release")],
  ["mlops:release:Release", () => harmless("a step of the release")],
  ["mlops:postgres:Postgres", () => harmless("databases and roles as described, at any time")],
  ["mlops:redis:Redis", () => harmless("Redis reads who may log in; connections stay")],
  ["mlops:redis:PresentPassword", () => harmless("Redis reads who may log in; connections stay")],
];

function command(change: Change): Judgement {
  const { operation, name, components, runsOnDeletion } = change;
  if (operation === "delete" && !runsOnDeletion)
    return harmless("nothing is run when it is deleted");
  if (name.endsWith("-nginx-reload"))
    return operation === "create"
      ? harmless("nginx has only just started")
      : {
          impact: "reload",
          service: "nginx",
          why: "nginx takes over a checked configuration; idle connections are closed",
        };
  const innermost = components.at(-1);
  const known = COMMANDS.find(([component]) => component === innermost);
  return known === undefined ? unknown(`the command ${name}`) : known[1](change);
}

/** One-off containers: migrations of the app only add, those of MLflow cannot be undone. */
function job({ operation, components, differs }: Change): Judgement {
  if (operation === "create") return harmless("prepares a database for its first use");
  // Its image is in both. Without a new one there is nothing that has not been migrated, unless older
  // data was restored, and that is asked for by a command of its own.
  const isNewImage = differs.includes("triggers") && differs.includes("create");
  if (!isNewImage) return harmless("nothing to migrate: the image is the same");
  if (components.includes("mlops:app:App")) return harmless("expand-only migration");
  if (components.includes("mlops:mlflow:Mlflow"))
    return {
      impact: "touches data",
      service: "mlflow",
      why: "may change the schema of MLflow's database for good: make a backup first",
    };
  return unknown("a job of a component that is not known");
}

const harmless = (why: string): Judgement => ({ impact: "no downtime", why });

const downtime = (service: string, why: string): Judgement => ({
  impact: "seconds of downtime",
  service,
  why,
});

/** The service of a resource by its label, as part of a judgement. */
export const serviceOf = (labels: Readonly<Record<string, string>>): { service?: string } =>
  labels["mlops.service"] === undefined ? {} : { service: labels["mlops.service"] };
