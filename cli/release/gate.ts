import type Docker from "dockerode";
import { CANDIDATE_HEADER } from "../../components/nginx-config";
import { untilHealthy } from "../healthy";
import { checkGolden } from "./golden";
import type { GateInput, GateOutput } from "./input";
import { probe, publicListener } from "./listener";
import { Routes } from "./routes";
import { rounded } from "./seconds";

/**
 * Lets the new containers show what they can, at the public listener but to nobody else: they
 * become healthy, answer fresh requests with the new version, and predict what is known.
 */
export async function passGate(
  docker: Docker,
  env: Readonly<NodeJS.ProcessEnv>,
  input: GateInput,
): Promise<GateOutput> {
  const start = await untilHealthy(docker, input.containers, {
    seconds: input.timeoutSeconds,
    key: "gateTimeout",
    fix: "The release is not live; correct it and deploy it under a new tag.",
  });
  const begun = performance.now();
  const routes = await Routes.of(docker, input.stack);
  await routes.admit(input.generation);
  const listener = await publicListener(docker, env, input);
  const candidate = listener.with({ [CANDIDATE_HEADER]: input.generation });
  const served = await probe(candidate, input, "to the new version");
  const model = served === null || served === undefined ? null : servedModel(served);
  const golden = await checkGolden(docker, input.stack, candidate, model);
  return {
    gate: { probes: input.probes, golden },
    model,
    seconds: { start: rounded(start), gate: rounded((performance.now() - begun) / 1000) },
  };
}

const servedModel = ({ name, version }: { name: string; version: string }) => ({ name, version });
