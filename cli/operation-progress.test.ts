import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EngineEvent, OpType, StepEventMetadata } from "@pulumi/pulumi/automation/index.js";
import { OperationProgress } from "./operation-progress";
import { testBed, type TestBed } from "./testing/context";

interface Watched extends TestBed {
  readonly progress: OperationProgress;
  readonly log: () => string;
}

async function watch(
  test: Parameters<typeof testBed>[0],
  events: readonly Partial<EngineEvent>[],
  showsResources = true,
): Promise<Watched> {
  const bed = await testBed(test);
  let log = "";
  const write = (text: string): boolean => {
    log += text;
    return true;
  };
  const progress = new OperationProgress(bed.context.terminal, { write }, showsResources);
  await progress.start("Deploying dev");
  for (const [sequence, event] of events.entries())
    progress.handle({ sequence, timestamp: 0, ...event });
  progress.finish(true);
  return { ...bed, progress, log: () => log };
}

function step(op: OpType, name: string, type: string): StepEventMetadata {
  const urn = `urn:pulumi:dev::mlops::${type}::${name}`;
  return { op, urn, type, provider: type.startsWith("docker:") ? "docker" : "" };
}

const container = (op: OpType, name: string): StepEventMetadata =>
  step(op, name, "docker:index/container:Container");

const done = (metadata: StepEventMetadata): Partial<EngineEvent>[] => [
  { resourcePreEvent: { metadata } },
  { resOutputsEvent: { metadata } },
];

const problem = (
  severity: "error" | "warning" | "info",
  message: string,
): Partial<EngineEvent> => ({
  diagnosticEvent: {
    severity,
    message,
    color: "never",
    urn: container("create", "mlops-dev-redis").urn,
  },
});

void describe("OperationProgress", () => {
  void it("prints a line for each resource that changed, and none for the others", async (test) => {
    const { stderr } = await watch(test, [
      ...done(container("create", "mlops-dev-redis")),
      ...done(container("same", "mlops-dev-nginx")),
      ...done(container("refresh", "mlops-dev-nginx")),
      ...done(step("create", "mlops-dev", "mlops:platform:Platform")),
    ]);
    assert.deepEqual(stderr().split("\n"), [
      "Deploying dev …",
      "  ✓ created Container mlops-dev-redis 0 s",
      "Deploying dev: done in 0 s",
      "",
    ]);
  });

  void it("shows a replacement as what is really done", async (test) => {
    const ops = ["create-replacement", "replace", "delete-replaced"] as const;
    const { stderr } = await watch(
      test,
      ops.flatMap((op) => done(container(op, "mlops-dev-app"))),
    );
    assert.match(stderr(), /created new Container mlops-dev-app 0 s\n.*deleted old Container/);
    assert.doesNotMatch(stderr(), /replaced/);
  });

  void it("only pretends in a preview", async (test) => {
    const events = done(container("create", "mlops-dev-redis"));
    assert.doesNotMatch((await watch(test, events, false)).stderr(), /created/);
  });

  void it("keeps counts and outputs for afterwards", async (test) => {
    const stack = step("same", "mlops-dev", "pulumi:pulumi:Stack");
    const state = {
      type: stack.type,
      urn: stack.urn,
      id: "",
      parent: "",
      provider: "",
      inputs: {},
    };
    const { progress } = await watch(test, [
      {
        resOutputsEvent: {
          metadata: { ...stack, new: { ...state, outputs: { url: "http://x" } } },
        },
      },
      {
        summaryEvent: {
          maybeCorrupt: false,
          durationSeconds: 1,
          resourceChanges: { same: 3 },
          policyPacks: {},
        },
      },
    ]);
    assert.deepEqual(progress.outputs, { url: "http://x" });
    assert.deepEqual(progress.changes, { same: 3 });
  });

  void it("reduces an error to its cause, with the name of its resource", async (test) => {
    const { progress, log } = await watch(test, [
      problem("error", "sdk-v2/provider2.go:571: sdk.helper_schema: Unable to start container"),
      problem(
        "error",
        "1 error occurred:\n\t* creating urn:x: 1 error occurred:\n\t* Unable to start container: no room\n\n",
      ),
      problem("error", "<{%fg 1%}>update failed<{%reset%}>"),
    ]);
    assert.deepEqual(progress.errors, ["mlops-dev-redis: Unable to start container: no room"]);
    assert.match(log(), /creating urn:x/);
  });

  void it("passes on warnings and keeps the chatter for the log", async (test) => {
    const { stderr, log } = await watch(test, [
      problem("warning", "the disk is slow"),
      problem("info", "Step 3/7: RUN pip install"),
    ]);
    assert.match(stderr(), /warning mlops-dev-redis: the disk is slow/);
    assert.doesNotMatch(stderr(), /pip install/);
    assert.match(log(), /pip install/);
  });
});
