import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { Command, Option } from "commander";
import type { Context } from "../context";
import { codeOf, CommandError, messageOf, UnreadableFileError } from "../errors";
import { PublicApi } from "../public-api";
import { setUp } from "../setup";
import { renderTable } from "../table";
import { examples, jsonOption, stackOption } from "./options";

interface PredictOptions {
  readonly stack: string;
  readonly file?: string;
  readonly rows?: string;
  readonly json?: true;
}

/** Body of a request: rows of named columns. */
export interface PredictRequest {
  readonly rows: readonly unknown[];
}

/** What the API answers. */
interface PredictAnswer {
  readonly predictions: readonly unknown[];
  readonly model: { readonly name: string; readonly version: string; readonly alias: string };
  readonly cached: boolean;
  readonly version: string;
}

/** `./mlops predict`: ask the model, the way its users do. */
export function predictCommand(context: Context): Command {
  return new Command("predict")
    .description(
      "Ask the served model, through nginx. Without rows of your own it sends the model's example.",
    )
    .addOption(stackOption())
    .option("--file <path>", 'JSON file with rows, or with {"rows": […]}; - is standard input')
    .addOption(new Option("--rows <json>", "the rows themselves").conflicts("file"))
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops predict", "./mlops predict --file rows.json --json"))
    .action((options: PredictOptions) => predict(context, options));
}

async function predict(context: Context, options: PredictOptions): Promise<void> {
  const given = await readRows(options);
  const tools = await setUp(context, { retry: "./mlops predict", images: false });
  const api = await PublicApi.of(context, tools, options.stack);
  const request = given ?? (await exampleOf(api, options.stack));
  const { status, body } = await api.send("/predict", { method: "POST", body: request });
  if (status !== 200) throw refusal(status, body, options.stack);
  const answer = JSON.parse(body) as PredictAnswer;
  if (options.json) {
    context.terminal.printJson(answer);
    return;
  }
  const { terminal } = context;
  terminal.print(
    renderTable(
      ["ROW", "PREDICTION"].map((title) => terminal.style("bold", title)),
      answer.predictions.map((prediction, index) => [String(index + 1), asText(prediction)]),
    ),
  );
  const { name, version, alias } = answer.model;
  const cached = answer.cached ? ", from the cache" : "";
  terminal.note(`Model ${name} version ${version} (${alias}), API ${answer.version}${cached}`);
}

async function readRows(options: PredictOptions): Promise<PredictRequest | undefined> {
  if (options.rows !== undefined) return parseRows(options.rows, "--rows");
  if (options.file === undefined) return undefined;
  if (options.file === "-") return parseRows(await text(process.stdin), "standard input");
  let content: string;
  try {
    content = await readFile(options.file, "utf8");
  } catch (error) {
    throw new UnreadableFileError(
      options.file,
      codeOf(error) ?? messageOf(error),
      "Name a JSON file that exists and that you may read.",
    );
  }
  return parseRows(content, options.file);
}

/** Accepts the rows alone as well as the whole body of a request. */
function parseRows(json: string, source: string): PredictRequest {
  const fix = 'Give rows such as [{"column": 1.5}], or {"rows": [{"column": 1.5}]}.';
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new CommandError(`${source} is not JSON (${messageOf(error)}).`, fix);
  }
  const rows: unknown =
    typeof value === "object" && value !== null && "rows" in value ? value.rows : value;
  if (!Array.isArray(rows)) throw new CommandError(`${source} has no list of rows.`, fix);
  return { rows };
}

/** The row that the model was logged with, which the API's own description shows. */
export async function exampleOf(api: PublicApi, stack: string): Promise<PredictRequest> {
  const { status, body } = await api.send("/openapi.json");
  if (status !== 200) throw refusal(status, body, stack);
  const description = JSON.parse(body) as {
    readonly paths: {
      readonly "/predict": {
        readonly post: {
          readonly requestBody: {
            readonly content: {
              readonly "application/json": { readonly example?: PredictRequest };
            };
          };
        };
      };
    };
  };
  const { example } = description.paths["/predict"].post.requestBody.content["application/json"];
  if (example === undefined || example.rows.length === 0)
    throw new CommandError(
      "The API knows no example row: it serves no model yet, or one that was logged without an example.",
      `Train a model first (./mlops train --stack ${stack}), or give rows with --file.`,
    );
  return example;
}

/** The error for an answer that is not a prediction. */
function refusal(status: number, body: string, stack: string): CommandError {
  const { reason, detail } = parseProblem(body);
  if (status === 503)
    return new CommandError(
      `The API cannot predict now: ${reason ?? "it is not ready"}.`,
      `If there is no model yet, make one: ./mlops train --stack ${stack}. Otherwise see ./mlops logs app --stack ${stack}.`,
    );
  if (status === 422)
    return new CommandError(
      `The API refuses the rows: ${problems(detail)}.`,
      "Correct them; /docs at the stack's URL shows the columns that the model takes.",
    );
  return new CommandError(
    `The API answered ${status}: ${reason ?? body.slice(0, 200)}`,
    `See ./mlops logs app nginx --stack ${stack}.`,
  );
}

interface Problem {
  readonly loc: readonly (string | number)[];
  readonly msg: string;
}

function parseProblem(body: string): { reason?: string; detail?: readonly Problem[] } {
  try {
    return JSON.parse(body) as { reason?: string; detail?: readonly Problem[] };
  } catch {
    return {};
  }
}

/** The first problems of a 422 with their place; a wrong file has the same one in every row. */
function problems(detail: readonly Problem[] | undefined): string {
  const SHOWN = 3;
  const all = (detail ?? []).map(({ loc, msg }) => `${loc.slice(1).join(".")}: ${msg}`);
  const more = all.length > SHOWN ? `; and ${all.length - SHOWN} more` : "";
  return all.length === 0 ? "it does not say why" : all.slice(0, SHOWN).join("; ") + more;
}

const asText = (prediction: unknown): string =>
  typeof prediction === "string" ? prediction : JSON.stringify(prediction);
