"use strict";
// What the language host runs instead of @pulumi/pulumi/cmd/run where PULUMI_LANGUAGE_NODEJS_RUN_PATH
// names this file: the same runner, compiled together with the program. Tracing is left out of it, so
// whoever traces gets the original.
const traced = process.env.TRACEPARENT !== undefined || process.argv.includes("--tracing");

if (traced) require("@pulumi/pulumi/cmd/run");
else require(require("./bundle.cjs").bundle("runner")).run();
