import type { GateResult, ServedModel } from "../../components/ledger";

/** How a step reaches the public listener, and what has to answer there. */
export interface ListenerInput {
  readonly stack: string;
  /** What the API has to answer as its version. */
  readonly version: string;
  readonly generation: string;
  /** URL of the API. */
  readonly url: string;
  /** Address on which the Docker host publishes it. */
  readonly bindAddress: string;
  /** Fresh requests that have to be answered. */
  readonly probes: number;
}

export interface CheckInput {
  readonly stack: string;
  readonly tag: string;
  /** Whether the tag means one image for ever. */
  readonly named: boolean;
  /** Image ID. */
  readonly image: string;
}

export interface GateInput extends ListenerInput {
  /** Docker IDs of the new containers. */
  readonly containers: readonly string[];
  readonly timeoutSeconds: number;
  /** Registered model that the app serves. */
  readonly model: string;
}

export interface GateOutput {
  readonly gate: GateResult;
  readonly model: ServedModel | null;
  readonly seconds: { readonly start: number; readonly gate: number };
}

export interface SwitchInput extends ListenerInput {
  /** Docker IDs of the new containers. */
  readonly containers: readonly string[];
}

export interface SwitchOutput {
  /** Generation that was live before; null at the first deployment. */
  readonly from: string | null;
  readonly to: string;
  /** When the switch was done, ISO 8601. */
  readonly at: string;
  readonly seconds: { readonly canary?: number; readonly switch: number };
}

export interface DrainInput {
  readonly stack: string;
  readonly generation: string;
  readonly containers: readonly string[];
  readonly stopGraceSeconds: number;
}

export interface DrainOutput {
  /** Names of the containers that were stopped. */
  readonly stopped: readonly string[];
  readonly seconds: { readonly drain: number };
}

export interface RecordInput {
  readonly stack: string;
  readonly tag: string;
  /** Image ID. */
  readonly image: string;
  readonly attempt: number;
  readonly config: Readonly<Record<string, string>>;
  readonly migrationSeconds: number;
  readonly gate: GateOutput;
  readonly switch: SwitchOutput;
  readonly drain: DrainOutput;
}
