import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endOfRecovery, formatLsn, newestThrough, parseLsn, parseSegment } from "./timeline";

const SECOND = `1\t0/3000090\tat restore point "one"\n`;
const THIRD = `${SECOND}\n2\t0/5000000\tno recovery target specified\n`;

void describe("timelines", () => {
  const histories = new Map([
    [2, SECOND],
    [3, THIRD],
  ]);

  void it("follows the newest that continues the point", () => {
    assert.equal(newestThrough(histories, 1, "0/2000120"), 3);
    assert.equal(newestThrough(histories, 2, "0/4000000"), 3);
  });

  void it("stays where those that left did so before the point", () => {
    // The restores were undone: what was backed up later continues the first timeline.
    assert.equal(newestThrough(histories, 1, "0/3000091"), 1);
    assert.equal(newestThrough(histories, 2, "1/0"), 2);
  });

  void it("takes a point at which a timeline was left as part of it", () => {
    assert.equal(newestThrough(new Map([[2, SECOND]]), 1, "0/3000090"), 2);
  });

  void it("stays on the only one", () => {
    assert.equal(newestThrough(new Map(), 1, "0/2000120"), 1);
  });

  void it("reads where recovery ended", () => {
    assert.equal(endOfRecovery(THIRD), 0x5000000n);
    assert.throws(() => endOfRecovery(""), /no timeline history/);
  });

  void it("reads positions beyond 32 bits, and segments", () => {
    assert.equal(parseLsn("A/FF000028"), 0xaff000028n);
    assert.equal(formatLsn(0xaff000028n), "A/FF000028");
    assert.deepEqual(parseSegment("000000020000000A000000FF"), {
      timeline: 2,
      start: 0xaff000000n,
    });
    for (const text of ["", "0", "x/1"]) assert.throws(() => parseLsn(text), RangeError);
    assert.throws(() => parseSegment("00000002.history"), RangeError);
  });
});
