"""Tests: run in the image's `test` stage, see app.test.ts."""
