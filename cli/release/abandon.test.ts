import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StateResource } from "../state";
import { withoutCandidates } from "./abandon";

const container = (
  id: string,
  generation: string,
  more: Partial<StateResource> = {},
): StateResource => ({
  urn: "urn:app",
  type: "docker:index/container:Container",
  id,
  inputs: { labels: [{ label: "mlops.generation", value: generation }] },
  ...more,
});
const gate: StateResource = { urn: "urn:gate", type: "command:local:Command", id: "gate" };

void describe("withoutCandidates", () => {
  void it("puts the live container back in the place of the one that did not pass", () => {
    const state = [container("new", "b"), gate, container("old", "a", { delete: true })];
    assert.deepEqual(
      withoutCandidates(state, "a").map(({ id, delete: isDeleted }) => [id, isDeleted ?? false]),
      [
        ["old", false],
        ["gate", false],
      ],
    );
  });

  void it("leaves a release that went live, with what waits to be deleted behind it", () => {
    const state = [container("new", "b"), gate, container("old", "a", { delete: true })];
    assert.deepEqual(withoutCandidates(state, "b"), state);
  });

  void it("knows the replicas apart, and keeps leftovers that are not live", () => {
    const other = { urn: "urn:app-1" };
    const state = [
      container("new-0", "c"),
      container("new-1", "c", other),
      container("older", "b", { delete: true }),
      container("old-0", "a", { delete: true }),
      container("old-1", "a", { ...other, delete: true }),
    ];
    assert.deepEqual(
      withoutCandidates(state, "a").map(({ id }) => id),
      ["old-0", "old-1", "older"],
    );
  });

  void it("leaves a first release that failed: there is nothing to go back to", () => {
    const state = [container("new", "b"), gate];
    assert.deepEqual(withoutCandidates(state, "a"), state);
  });
});
