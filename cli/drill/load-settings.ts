import { exampleOf } from "../commands/predict";
import type { LoadSettings } from "../load/protocol";
import type { PublicApi } from "../public-api";

/** Seconds after which a load gives a request up: longer than nginx waits for the app. */
const TIMEOUT_SECONDS = 65;
/**
 * Markers of each load's POSTs begin at a multiple of this: more than one sends, far from any value
 * of the training data, and whole numbers that a double holds exactly.
 */
const MARKERS = 100_000_000;

/** Which load is wanted. */
export interface WantedLoad {
  readonly stack: string;
  /** Requests a second. */
  readonly rate: number;
  /** Number of this load on the stack, from 1: no two have a marker in common. */
  readonly load: number;
}

/**
 * What a load on a stack that serves a model is made of.
 *
 * @throws CommandError when the API gives no example row.
 */
export async function loadSettings(
  api: PublicApi,
  { stack, rate, load }: WantedLoad,
): Promise<LoadSettings> {
  const { rows } = await exampleOf(api, stack);
  const row = rows[0] as Readonly<Record<string, unknown>>;
  const [markerColumn] = Object.keys(row);
  if (markerColumn === undefined) throw new Error("the model's example row has no columns");
  return {
    url: api.url,
    ...(api.ca === undefined ? {} : { ca: api.ca }),
    rate,
    timeout: TIMEOUT_SECONDS,
    row,
    markerColumn,
    firstMarker: load * MARKERS,
  };
}
