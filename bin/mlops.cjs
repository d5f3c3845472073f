"use strict";
require("./node-version.cjs");
const path = require("node:path");
const { bundle } = require("./bundle.cjs");

function start() {
  const { main } = require(bundle("cli"));
  return main({
    root: path.resolve(__dirname, ".."),
    argv: process.argv.slice(2),
    env: process.env,
  });
}

try {
  // Ended by force: a daemon that never answers would keep its connection, and so this process.
  start().then((exitCode) => process.exit(exitCode));
} catch (error) {
  console.error(`mlops: ${error.message}`);
  process.exitCode = 1;
}
