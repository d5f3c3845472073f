"use strict";
require("./node-version.cjs");
const path = require("node:path");

const { main } = require(require("./bundle.cjs").bundle("cli"));

main({ root: path.resolve(__dirname, ".."), argv: process.argv.slice(2), env: process.env }).then(
  (exitCode) => {
    process.exitCode = exitCode;
  },
);
