"use strict";
// What Pulumi's language host runs; see bin/run.cjs.
require(require("../bin/bundle.cjs").bundle("bench")).run();
