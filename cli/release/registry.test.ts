import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { explainRegistry, repositoryOf } from "./registry";

const REFERENCE = "registry.example.com:5000/team/mlops-app:v1.1.0";

void describe("explainRegistry", () => {
  // In the words of the Docker daemon and its client.
  const said: [string, boolean, RegExp, RegExp][] = [
    [
      'Error response from daemon: Head "https://registry.example.com:5000/v2/": no basic auth credentials',
      false,
      /wants a login for .*v1\.1\.0: Head .*no basic auth credentials\./,
      /docker login registry\.example\.com:5000$/,
    ],
    [
      "unauthorized: authentication required",
      true,
      /does not accept the login that is kept/,
      /docker login registry\.example\.com:5000$/,
    ],
    [
      "denied: requested access to the resource is denied",
      true,
      /does not accept the login/,
      /may push and pull/,
    ],
    [
      "Error response from daemon: manifest unknown: manifest unknown",
      true,
      /does not have .*v1\.1\.0/,
      /build and push it first/,
    ],
    [
      'Get "https://registry.example.com:5000/v2/": dial tcp 127.0.0.1:5000: connect: connection refused',
      false,
      /cannot be reached for .*connection refused\.$/m,
      /Check REGISTRY/,
    ],
    [
      'Get "https://registry.example.com:5000/v2/": dial tcp: lookup registry.example.com: no such host',
      false,
      /cannot be reached/,
      /Check REGISTRY/,
    ],
    [
      'Get "https://registry.example.com:5000/v2/": http: server gave HTTP response to HTTPS client',
      true,
      /speaks HTTP, not HTTPS/,
      /insecure-registries/,
    ],
    [
      'Get "https://registry.example.com:5000/v2/": x509: certificate signed by unknown authority',
      true,
      /certificate that the Docker daemon does not trust/,
      /\/etc\/docker\/certs\.d\/registry\.example\.com:5000\/ca\.crt/,
    ],
    [
      "failed to register layer: write /usr/lib/x: no space left on device",
      true,
      /disk of the Docker host is full/,
      /docker system df/,
    ],
  ];
  for (const [reason, loggedIn, cause, fix] of said)
    void it(`knows: ${reason.slice(-60)}`, () => {
      const error = explainRegistry(REFERENCE, reason, loggedIn);
      assert.match(error.problem, cause);
      assert.match(error.problem, /^The registry registry\.example\.com:5000 /);
      assert.match(error.fix, fix);
      assert.doesNotMatch(error.message, /Error response from daemon/);
    });

  void it("speaks of Docker's own registry where the reference names none", () => {
    const error = explainRegistry("team/mlops-app:v1", "unauthorized", false);
    assert.match(error.problem, /^Docker's own registry wants a login/);
    assert.match(error.fix, /: docker login$/);
  });
});

void describe("repositoryOf", () => {
  void it("keeps the port of the registry", () => {
    assert.equal(repositoryOf(REFERENCE), "registry.example.com:5000/team/mlops-app");
  });
});
