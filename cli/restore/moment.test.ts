import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseMoment } from "./moment";

void describe("a moment on the command line", () => {
  for (const [text, iso] of [
    ["2026-11-23 09:00:00+00", "2026-11-23T09:00:00.000Z"],
    ["2026-11-23T09:00:00Z", "2026-11-23T09:00:00.000Z"],
    ["2026-11-23 09:00+05:30", "2026-11-23T03:30:00.000Z"],
    ["2026-11-23 09:00:00.5 -0130", "2026-11-23T10:30:00.500Z"],
  ] as const)
    void it(`is read from ${text}`, () => {
      assert.equal(parseMoment(text).toISOString(), iso);
    });

  for (const text of [
    "2026-11-23 09:00:00",
    "2026-11-23",
    "09:00+00",
    "yesterday",
    "2026-13-01 09:00Z",
    "2026-02-30 09:00Z",
    "2026-11-23 25:00Z",
    "",
  ])
    void it(`is not read from "${text}"`, () => {
      assert.throws(() => parseMoment(text), { code: "commander.invalidArgument" });
    });
});
