"use strict";
// The runner and this program in one file; see bin/runner.cjs.
exports.run = () => require("@pulumi/pulumi/cmd/run");
exports.program = () => require("./index.ts");
