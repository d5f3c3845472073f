"use strict";
// Ends the process with a clear message on a Node that is too old. Written so that old ones parse it.
// 20.19 is the first Node 20 that loads ES modules by require(), which the tools used here rely on.
const version = process.versions.node.split(".").map(Number);
if (version[0] < 20 || (version[0] === 20 && version[1] < 19)) {
  console.error(
    "mlops: Node.js " +
      process.versions.node +
      " (" +
      process.execPath +
      ") is too old. Install Node 20.19 or newer, then run the command again.",
  );
  process.exit(1);
}
