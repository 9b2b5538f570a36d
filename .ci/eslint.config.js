// Lint rules of the house style: type-aware correctness rules, and the purity of src/core.
import tseslint from "typescript-eslint";

const pureCore = {
  files: ["src/core/**/*.ts"],
  rules: {
    "no-restricted-imports": [
      "error",
      {
        patterns: [
          { regex: "^[^.]", message: "src/core imports nothing from outside src/core" },
          {
            regex:
              "^(\\.\\./)+(crypto|pki|attestation|store|transport|services|recovery|observability|cli|sidecar|config|gen|authority)/",
            message: "src/core imports nothing from the shell",
          },
        ],
      },
    ],
    "no-restricted-globals": [
      "error",
      ...[
        "Date",
        "process",
        "Buffer",
        "setTimeout",
        "setInterval",
        "setImmediate",
        "queueMicrotask",
        "console",
        "crypto",
        "performance",
        "fetch",
        "globalThis",
        "Promise",
      ].map((name) => ({ name, message: "src/core is pure: no clock, no I/O, no environment" })),
    ],
    "no-restricted-properties": [
      "error",
      { object: "Math", property: "random", message: "randomness is injected and seeded" },
    ],
    "no-restricted-syntax": [
      "error",
      { selector: ":function[async=true]", message: "src/core is synchronous" },
      { selector: "AwaitExpression", message: "src/core is synchronous" },
    ],
  },
};

export default tseslint.config(
  { ignores: ["dist/**", "dist-test/**", "src/gen/**", "node_modules/**"] },
  {
    files: ["src/**/*.ts", "test/**/*.ts"],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { project: "./tsconfig.json", tsconfigRootDir: `${import.meta.dirname}/..` },
    },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      "@typescript-eslint/no-confusing-void-expression": [
        "error",
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // noPropertyAccessFromIndexSignature demands the bracket form.
      "@typescript-eslint/dot-notation": "off",
      // Parsers and message handlers test what the types already promise: the other side did not compile with us.
      "@typescript-eslint/no-unnecessary-condition": "off",
      "no-console": "error",
      eqeqeq: ["error", "always"],
    },
  },
  {
    files: ["test/**/*.ts"],
    rules: {
      "no-console": "off",
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/unbound-method": "off",
    },
  },
  pureCore,
);
