"use strict";
// The "main" of package.json: what Pulumi's language host runs. Never stale, never type-checked here.
module.exports = require(require("./bundle.cjs").bundle("program"));
