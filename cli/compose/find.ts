import { runProgram } from "../exec";
import { aptInstall } from "../setup/apt";
import type { Tools } from "../setup";
import type { Step } from "../step";

/** Compose as a plugin of the docker client, else the program, else installed. */
export async function findCompose(tools: Tools, step: Step): Promise<[string, ...string[]]> {
  const works = async (...line: [string, ...string[]]): Promise<boolean> => {
    const [command, ...args] = line;
    return !(await runProgram(command, [...args, "version"], { env: tools.env, reject: false }))
      .failed;
  };
  if (await works("docker", "compose")) return ["docker", "compose"];
  if (!(await works("docker-compose"))) await aptInstall(step, ["docker-compose"]);
  return ["docker-compose"];
}
