/** Compiles the exploration and the core, with pieces of the core replaced, and imports the result. */
export function load(
  replacements?: readonly {
    readonly file: string;
    readonly find: string;
    readonly replace: string;
  }[],
): Promise<unknown>;
