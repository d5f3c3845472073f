"use strict";
// The "main" of package.json: what Pulumi's language host runs. Never stale, never type-checked here.
const { bundle, outfileOf } = require("./bundle.cjs");

// The program names images by what is in their folders, so what belongs there comes first.
bundle("agent");

// Under run.cjs the program must use the copy of @pulumi/pulumi that runs it.
const runner = require.cache[outfileOf("runner")];
module.exports = runner ? runner.exports.program() : require(bundle("program"));
