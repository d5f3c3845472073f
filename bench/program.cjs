"use strict";
// The "main" of Pulumi.yaml. It always runs under run.cjs, which has loaded the bundle.
module.exports = require(require("../bin/bundle.cjs").outfileOf("bench")).program();
