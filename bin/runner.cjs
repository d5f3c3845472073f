"use strict";
// Pulumi's own runner of Node.js programs and this program, compiled into one file: one file to read
// instead of 760, and one copy of @pulumi/pulumi for both.
exports.run = () => require("@pulumi/pulumi/cmd/run");
exports.program = () => require("../index.ts");
