import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { table, type ListedVersion } from "./list";

const plain = { style: (_: unknown, text: string): string => text };

const version = (number: number, changes: Partial<ListedVersion> = {}): ListedVersion => ({
  version: String(number),
  created: "2026-11-23T20:00:00+00:00",
  score: 0.95678,
  aliases: [],
  served_by: 0,
  previous: null,
  ...changes,
});

/** The cells of every line but the head. */
function rows(versions: readonly ListedVersion[], replicas: number): string[][] {
  const list = { model: "m", alias: "champion", metric: "balanced_accuracy", replicas, versions };
  const [head = "", ...lines] = table(plain, list).split("\n");
  assert.match(head, /BALANCED ACCURACY/);
  return lines.map((line) => line.split(/ {2,}/));
}

void describe("the list of model versions", () => {
  void it("shows score, aliases, what is served, and where a rollback goes", () => {
    const [first] = rows([version(2, { aliases: ["champion"], served_by: 1, previous: "1" })], 1);
    assert.deepEqual(first, ["2", "2026-11-23 20:00:00 UTC", "0.9568", "champion", "yes", "1"]);
  });

  void it("says how many serve a version while they swap", () => {
    const [first, second] = rows(
      [version(2, { served_by: 1 }), version(1, { served_by: 2, score: null })],
      3,
    );
    assert.equal(first?.at(-1), "by 1 of 3");
    assert.equal(second?.at(-1), "by 2 of 3");
  });
});
