import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import ts from "typescript";

/** What a property holds, so far as programs see it. */
export type Shape =
  | { readonly kind: "string" | "number" | "boolean" | "any" | "asset" }
  | { readonly kind: "array" | "map"; readonly of: Shape }
  | { readonly kind: "object"; readonly properties: () => Properties };

export type Properties = ReadonlyMap<string, Shape>;

/** A resource class or a function of an npm package. */
export interface Entity {
  readonly kind: "resource" | "function";
  /** Type token, such as `docker:index/container:Container`. */
  readonly token: string;
  readonly inputs: Properties;
  readonly outputs: Properties;
}

/** Reads all resources and functions of a Pulumi SDK package from its declarations. */
export async function readNpmPackage(root: string): Promise<readonly Entity[]> {
  const declarations = new Declarations(root);
  const entities: Entity[] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".js")) continue;
    const path = join(entry.parentPath, entry.name);
    const code = await readFile(path, "utf8");
    const file = path.replace(/\.js$/, ".d.ts");
    const resource = /__pulumiType = '([^']+)'/.exec(code)?.[1];
    const invoked = /runtime\.invoke\("([^"]+)"/.exec(code)?.[1];
    if (resource !== undefined) {
      const name = /\bclass (\w+) extends/.exec(code)?.[1] ?? "";
      entities.push({
        kind: "resource",
        token: resource,
        inputs: await declarations.properties(file, `${name}Args`),
        outputs: await declarations.properties(file, name),
      });
    } else if (invoked !== undefined) {
      const name = invoked.split(":").at(-1) ?? "";
      const type = name.charAt(0).toUpperCase() + name.slice(1);
      entities.push({
        kind: "function",
        token: invoked,
        inputs: await declarations.properties(file, `${type}Args`),
        outputs: await declarations.properties(file, `${type}Result`),
      });
    }
  }
  return entities;
}

type Members = ts.NodeArray<ts.ClassElement> | ts.NodeArray<ts.TypeElement>;

/** The declaration files of one package, with the two files that hold nested types. */
class Declarations {
  readonly #nested = new Map<string, Properties>();
  #loaded: Promise<void> | undefined;

  constructor(readonly root: string) {}

  /** Properties of a class or interface; none where there is no such declaration. */
  async properties(file: string, name: string): Promise<Properties> {
    await (this.#loaded ??= this.#load());
    let found: Properties = new Map();
    eachType(await parse(file), "", (qualified, members) => {
      if (qualified === name) found = this.#shapes(members);
    });
    return found;
  }

  async #load(): Promise<void> {
    for (const direction of ["input", "output"]) {
      const file = join(this.root, "types", `${direction}.d.ts`);
      const source = await parse(file).catch(() => undefined);
      if (source === undefined) continue;
      eachType(source, "", (name, members) => {
        this.#nested.set(`${direction}s.${name}`, this.#shapes(members));
      });
    }
  }

  #shapes(members: Members): Properties {
    const shapes = new Map<string, Shape>();
    for (const member of members) {
      const isProperty = ts.isPropertyDeclaration(member) || ts.isPropertySignature(member);
      if (!isProperty || member.type === undefined) continue;
      const modifiers = ts.canHaveModifiers(member) ? (ts.getModifiers(member) ?? []) : [];
      if (modifiers.some(({ kind }) => kind === ts.SyntaxKind.StaticKeyword)) continue;
      shapes.set(member.name.getText(), this.#shape(member.type));
    }
    return shapes;
  }

  #shape(type: ts.TypeNode): Shape {
    if (ts.isUnionTypeNode(type)) return this.#union(type);
    if (ts.isArrayTypeNode(type)) return { kind: "array", of: this.#shape(type.elementType) };
    if (ts.isTypeLiteralNode(type)) {
      const index = type.members.find(ts.isIndexSignatureDeclaration);
      if (index !== undefined) return { kind: "map", of: this.#shape(index.type) };
    }
    if (ts.isTypeReferenceNode(type)) return this.#reference(type);
    switch (type.kind) {
      case ts.SyntaxKind.StringKeyword:
        return { kind: "string" };
      case ts.SyntaxKind.NumberKeyword:
        return { kind: "number" };
      case ts.SyntaxKind.BooleanKeyword:
        return { kind: "boolean" };
      case ts.SyntaxKind.AnyKeyword:
        return { kind: "any" };
      default:
        throw new Error(`${type.getSourceFile().fileName}: unexpected type ${type.getText()}`);
    }
  }

  #union(type: ts.UnionTypeNode): Shape {
    const shapes = type.types
      .filter((member) => member.kind !== ts.SyntaxKind.UndefinedKeyword)
      .map((member) => this.#shape(member));
    const [first] = shapes;
    if (first === undefined || shapes.some(({ kind }) => kind !== first.kind))
      throw new Error(`${type.getSourceFile().fileName}: unexpected type ${type.getText()}`);
    return first;
  }

  #reference(type: ts.TypeReferenceNode): Shape {
    const name = type.typeName.getText();
    const [argument] = type.typeArguments ?? [];
    if (argument !== undefined && /^(pulumi\.(Input|Output)|Promise)$/.test(name))
      return this.#shape(argument);
    if (/^pulumi\.asset\.(Asset|Archive)$/.test(name)) return { kind: "asset" };
    if (name.startsWith("enums.")) return { kind: "string" };
    // The nested types refer to each other, so they are looked up when they are compared.
    return { kind: "object", properties: () => this.#nested.get(name) ?? new Map() };
  }
}

async function parse(file: string): Promise<ts.SourceFile> {
  return ts.createSourceFile(file, await readFile(file, "utf8"), ts.ScriptTarget.ES2022, true);
}

/** Calls `visit` for each class and interface, by its name with the namespaces around it. */
function eachType(
  node: ts.Node,
  prefix: string,
  visit: (name: string, members: Members) => void,
): void {
  ts.forEachChild(node, (child) => {
    if (ts.isInterfaceDeclaration(child) || ts.isClassDeclaration(child))
      visit(prefix + (child.name?.text ?? ""), child.members);
    else if (ts.isModuleDeclaration(child) && child.body !== undefined)
      eachType(child.body, `${prefix}${child.name.text}.`, visit);
  });
}

/** The folder of an installed npm package. */
export function packageRoot(name: string): string {
  return dirname(require.resolve(`${name}/package.json`));
}
