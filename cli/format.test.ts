import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatBytes, formatDuration } from "./format";

void describe("formatDuration", () => {
  for (const [seconds, text] of [
    [0, "0 s"],
    [-3, "0 s"],
    [59.4, "59 s"],
    [60, "1 min"],
    [61, "1 min 1 s"],
    [3600, "1 h"],
    [3661, "1 h 1 min"],
    [3601, "1 h"],
    [90_000, "1 d 1 h"],
  ] as const)
    void it(`${seconds} s is ${text}`, () => {
      assert.equal(formatDuration(seconds), text);
    });
});

void describe("formatBytes", () => {
  for (const [bytes, text] of [
    [0, "0.0 MiB"],
    [6.44 * 2 ** 20, "6.4 MiB"],
    [944 * 2 ** 20, "944 MiB"],
    [2 ** 30, "1.0 GiB"],
    [2.5 * 2 ** 30, "2.5 GiB"],
  ] as const)
    void it(`${bytes} bytes are ${text}`, () => {
      assert.equal(formatBytes(bytes), text);
    });
});
