import type Docker from "dockerode";
import { setTimeout as delay } from "node:timers/promises";
import { execInContainer } from "../container-exec";
import { NotDeployedError } from "../errors";
import type { Sample } from "../load/protocol";
import { serviceContainers } from "../services";

/** What the prediction log holds of a load's POSTs. */
export interface Reconciliation {
  /** POSTs that were answered well. */
  readonly answered: number;
  /** Of those, how many have no row. */
  readonly lost: number;
  /** POSTs with more than one row. */
  readonly doubled: number;
}

/** Rows are written behind the answers: so long may nothing new come before it counts as lost. */
const SETTLED_AFTER_MS = 15_000;
const POLL_MS = 500;

/**
 * Compares a load's POSTs with the stack's prediction log, once nothing is missing any more or
 * nothing more comes.
 *
 * @param column that carries the marker; see `LoadSettings`.
 */
export async function reconcile(
  docker: Docker,
  stack: string,
  column: string,
  samples: readonly Sample[],
): Promise<Reconciliation> {
  const posts = samples.filter(({ marker }) => marker !== undefined);
  const answered = posts.filter(({ failure }) => failure === undefined);
  let rows = new Map<number, number>();
  let changedAt = performance.now();
  for (;;) {
    const found = await countRows(docker, stack, column);
    if (sum(found) !== sum(rows)) changedAt = performance.now();
    rows = found;
    const lost = answered.filter(({ marker }) => !rows.has(marker ?? NaN)).length;
    if (lost === 0 || performance.now() - changedAt > SETTLED_AFTER_MS) {
      const doubled = posts.filter(({ marker }) => (rows.get(marker ?? NaN) ?? 0) > 1).length;
      return { answered: answered.length, lost, doubled };
    }
    await delay(POLL_MS);
  }
}

const sum = (rows: ReadonlyMap<number, number>): number =>
  [...rows.values()].reduce((total, count) => total + count, 0);

/** Number of rows by marker. */
async function countRows(
  docker: Docker,
  stack: string,
  column: string,
): Promise<Map<number, number>> {
  const [postgres] = await serviceContainers(docker, stack, "postgres");
  if (postgres === undefined) throw new NotDeployedError(stack);
  const value = `(inputs->>'${column.replaceAll("'", "''")}')::numeric`;
  const { exitCode, stdout, stderr } = await execInContainer(docker, postgres.Id, [
    ..."psql --no-psqlrc --quiet --tuples-only --no-align --field-separator=, --dbname=mlops".split(
      " ",
    ),
    "--username=postgres",
    `--command=SELECT trunc(${value}), count(*) FROM prediction_log WHERE ${value} = trunc(${value}) GROUP BY 1`,
  ]);
  if (exitCode !== 0) throw new Error(`the prediction log cannot be read: ${stderr.trim()}`);
  const rows = stdout.split("\n").filter((line) => line !== "");
  return new Map(
    rows.map((line) => {
      const [marker, count] = line.split(",").map(Number);
      return [marker ?? NaN, count ?? 0];
    }),
  );
}
