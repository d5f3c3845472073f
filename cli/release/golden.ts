import type Docker from "dockerode";
import type { ServedModel } from "../../components/ledger";
import { execInContainer } from "../container-exec";
import { CommandError, NotDeployedError } from "../errors";
import type { PublicApi } from "../public-api";
import { serviceContainers } from "../services";

/** Tag of a model version, set when it is registered: rows, and what the model says to them. */
const GOLDEN_TAG = "mlops.golden";
/** Other processors round the last digits otherwise. */
const TOLERANCE = 1e-6;

interface Golden {
  readonly rows: readonly unknown[];
  readonly predictions: readonly unknown[];
}

/**
 * Asks for the predictions that were recorded when the model was registered.
 *
 * @returns `passed`, or why there is nothing to compare with.
 * @throws CommandError when the answer differs.
 */
export async function checkGolden(
  docker: Docker,
  stack: string,
  api: PublicApi,
  model: ServedModel | null,
): Promise<string> {
  if (model === null) return "no model yet";
  const golden = await recorded(docker, stack, model);
  const name = `model ${model.name} version ${model.version}`;
  if (golden === undefined) return `none recorded for ${name}`;
  // An answer from the cache would be that of the version before.
  const { status, body } = await api
    .with({ "Cache-Control": "no-cache, no-store" })
    .send("/predict", { method: "POST", body: { rows: golden.rows } });
  const said = status === 200 ? (JSON.parse(body) as { predictions?: unknown }).predictions : body;
  if (status !== 200 || !same(said, golden.predictions))
    throw new CommandError(
      `The new version answers the recorded question of ${name} with ${JSON.stringify(said).slice(0, 300)} (status ${status}) where ${JSON.stringify(golden.predictions)} is right.`,
      "It does not compute what the model was registered with: compare its preprocessing and its libraries' versions with those of the training.",
    );
  return "passed";
}

/** Asked inside the stack's network, by nginx' container, which is none of those that are judged. */
async function recorded(
  docker: Docker,
  stack: string,
  { name, version }: ServedModel,
): Promise<Golden | undefined> {
  const [nginx] = await serviceContainers(docker, stack, "nginx");
  if (nginx === undefined) throw new NotDeployedError(stack);
  const query = new URLSearchParams({ name, version }).toString();
  const url = `http://mlflow:5000/api/2.0/mlflow/model-versions/get?${query}`;
  const wget = [..."busybox wget -q -T 10 -O -".split(" "), url];
  const { exitCode, stdout, stderr } = await execInContainer(docker, nginx.Id, wget);
  if (exitCode !== 0)
    throw new CommandError(
      `MLflow does not tell the recorded predictions of model ${name} version ${version}: ${stderr.trim()}.`,
      `See ./mlops logs mlflow --stack ${stack}.`,
    );
  const { model_version } = JSON.parse(stdout) as {
    readonly model_version: { readonly tags?: readonly { key: string; value: string }[] };
  };
  const tag = model_version.tags?.find(({ key }) => key === GOLDEN_TAG);
  return tag === undefined ? undefined : (JSON.parse(tag.value) as Golden);
}

/** Whether two JSON values are equal, numbers up to rounding. */
export function same(a: unknown, b: unknown): boolean {
  if (typeof a === "number" && typeof b === "number")
    return Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(a), Math.abs(b));
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))];
  if (Array.isArray(a) !== Array.isArray(b) || left.size !== right.size) return false;
  return [...left].every(([key, value]) => right.has(key) && same(value, right.get(key)));
}
