// Layering of the house style: dependencies point one way, and there are no cycles.
// main -> cli, sidecar, services, recovery, authority -> transport, store, observability, config
//      -> attestation, pki, crypto -> core
const shell = ["cli", "sidecar", "services", "recovery", "authority"];
const middle = ["transport", "store", "observability", "config"];
const base = ["attestation", "pki", "crypto", "history"];
const inside = (folders) => `^src/(${folders.join("|")})/`;

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "core-is-pure",
      severity: "error",
      from: { path: "^src/core/" },
      to: { pathNot: "^src/core/" },
    },
    {
      name: "base-looks-down",
      severity: "error",
      from: { path: inside(base) },
      to: { path: inside([...middle, ...shell]) },
    },
    {
      name: "middle-looks-down",
      severity: "error",
      from: { path: inside(middle) },
      to: { path: inside(shell) },
    },
    {
      name: "services-are-not-clients",
      severity: "error",
      from: { path: inside(["services", "recovery", "authority"]) },
      to: { path: inside(["cli", "sidecar"]) },
    },
    {
      name: "nothing-imports-main",
      severity: "error",
      from: { pathNot: "^src/main\\.ts$" },
      to: { path: "^src/main\\.ts$" },
    },
    {
      name: "no-orphans",
      severity: "error",
      from: { orphan: true, pathNot: ["^src/main\\.ts$", "^src/gen/"] },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node"] },
  },
};
