import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { packageRoot, readNpmPackage, type Properties, type Shape } from "./npm-package";

/** What the plugins do not serve, and why programs of this project can do without. */
const NOT_SERVED: Readonly<Record<string, string>> = {
  "docker:index/image:Image":
    "Pulumi's own addition to the Terraform provider; images are built before the program runs",
  "command:remote:CopyFile": "deprecated in the npm package, in favour of CopyToRemote",
  "command:remote:CopyToRemote": "files reach a host in images and volumes",
};

interface TypeSpec {
  readonly type?: string;
  readonly $ref?: string;
  readonly items?: TypeSpec;
  readonly additionalProperties?: TypeSpec;
  readonly oneOf?: readonly TypeSpec[];
}

type PropertySpecs = Readonly<Record<string, TypeSpec>>;

interface Schema {
  readonly types?: Readonly<
    Record<string, { readonly properties?: PropertySpecs; readonly enum?: readonly unknown[] }>
  >;
  readonly provider?: { readonly inputProperties?: PropertySpecs };
  readonly resources?: Readonly<
    Record<
      string,
      { readonly properties?: PropertySpecs; readonly inputProperties?: PropertySpecs }
    >
  >;
  readonly functions?: Readonly<
    Record<
      string,
      {
        readonly inputs?: { readonly properties?: PropertySpecs };
        readonly outputs?: { readonly properties?: PropertySpecs };
      }
    >
  >;
}

for (const name of ["docker", "command", "random"]) {
  describe(`plugin ${name}`, () => {
    it("has the version that package.json pins", async () => {
      const { version } = await readJson<{ version: string }>(
        join(packageRoot(`@pulumi/${name}`), "package.json"),
      );
      const { targets } = await readJson<{
        targets: readonly { name: string; npm: string; version: string }[];
      }>(join(__dirname, "targets.json"));
      const target = targets.find((one) => one.name === `pulumi-resource-${name}`);
      assert.deepEqual(
        { npm: target?.npm, version: target?.version },
        { npm: `@pulumi/${name}`, version },
      );
      const code = await readFile(
        join(__dirname, name, `${name === "command" ? "main" : "provider"}.go`),
        "utf8",
      );
      assert.match(code, new RegExp(`version = "${version.replaceAll(".", "\\.")}"`));
    });

    it("knows every name and type that the npm package sends or reads", async () => {
      const schema = await readJson<Schema>(join(__dirname, name, "schema.json"));
      const problems: string[] = [];
      for (const entity of await readNpmPackage(packageRoot(`@pulumi/${name}`))) {
        if (entity.token in NOT_SERVED) continue;
        const served = specOf(schema, name, entity);
        if (served === undefined) {
          problems.push(`${entity.token}: not served`);
          continue;
        }
        const compare = new Comparison(schema, problems);
        compare.properties(`${entity.token} input`, entity.inputs, served.inputs);
        compare.properties(`${entity.token} output`, entity.outputs, served.outputs);
      }
      assert.deepEqual(problems, []);
    });
  });
}

describe("npm packages", () => {
  it("are read whole", async () => {
    const docker = await readNpmPackage(packageRoot("@pulumi/docker"));
    const container = docker.find(({ token }) => token === "docker:index/container:Container");
    const healthcheck = container?.inputs.get("healthcheck");
    assert.ok(healthcheck?.kind === "object");
    assert.deepEqual(healthcheck.properties().get("tests"), {
      kind: "array",
      of: { kind: "string" },
    });
    assert.deepEqual(container?.outputs.get("containerLogs"), { kind: "string" });
  });

  it("still have what is listed as not served", async () => {
    const entities = await Promise.all(
      ["docker", "command"].map((name) => readNpmPackage(packageRoot(`@pulumi/${name}`))),
    );
    const tokens = new Set(entities.flat().map(({ token }) => token));
    assert.deepEqual(
      Object.keys(NOT_SERVED).filter((token) => !tokens.has(token)),
      [],
    );
  });
});

function specOf(
  schema: Schema,
  packageName: string,
  { kind, token }: { readonly kind: string; readonly token: string },
): { inputs: PropertySpecs; outputs: PropertySpecs } | undefined {
  if (kind === "function") {
    const spec = schema.functions?.[token];
    return (
      spec && { inputs: spec.inputs?.properties ?? {}, outputs: spec.outputs?.properties ?? {} }
    );
  }
  if (token === packageName) {
    const inputs = schema.provider?.inputProperties ?? {};
    return { inputs, outputs: inputs };
  }
  const spec = schema.resources?.[token];
  return spec && { inputs: spec.inputProperties ?? {}, outputs: spec.properties ?? {} };
}

/** Collects what the npm package has and the schema has not, or has with another type. */
class Comparison {
  constructor(
    readonly schema: Schema,
    readonly problems: string[],
  ) {}

  properties(where: string, npm: Properties, served: PropertySpecs): void {
    for (const [name, shape] of npm) {
      const spec = served[name];
      if (spec === undefined) this.problems.push(`${where}: ${name} is missing`);
      else this.#type(`${where}: ${name}`, shape, spec);
    }
  }

  #type(where: string, npm: Shape, served: TypeSpec): void {
    const kind = this.#kind(served);
    if (kind !== npm.kind) {
      this.problems.push(`${where} is ${npm.kind} in the npm package, ${kind} in the plugin`);
      return;
    }
    if (npm.kind === "array") this.#type(`${where}[]`, npm.of, served.items ?? {});
    if (npm.kind === "map") this.#type(`${where}{}`, npm.of, served.additionalProperties ?? {});
    if (npm.kind === "object")
      this.properties(where, npm.properties(), this.#nested(served)?.properties ?? {});
  }

  #kind(spec: TypeSpec): string {
    if (spec.oneOf !== undefined) return this.#kind(spec.oneOf[0] ?? {});
    if (spec.$ref !== undefined) {
      if (/^pulumi\.json#\/(Asset|Archive)$/.test(spec.$ref)) return "asset";
      if (spec.$ref === "pulumi.json#/Any") return "any";
      return this.#nested(spec)?.enum === undefined ? "object" : "string";
    }
    switch (spec.type) {
      case "integer":
        return "number";
      case "object":
        return "map";
      default:
        return spec.type ?? "nothing";
    }
  }

  #nested(spec: TypeSpec) {
    return this.schema.types?.[(spec.$ref ?? "").replace("#/types/", "")];
  }
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, "utf8")) as T;
}
