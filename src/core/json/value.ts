/** The model of a parsed JSON text: every value knows its kind and its place in the source. */

/** Where a value stands in the source text, in UTF-16 code units: `text.slice(start, end)` is the value's own text. */
interface Place {
  readonly start: number;
  readonly end: number;
}

interface JsonNull extends Place {
  readonly kind: "null";
}
interface JsonBoolean extends Place {
  readonly kind: "boolean";
  readonly value: boolean;
}
/** Always finite. */
interface JsonNumber extends Place {
  readonly kind: "number";
  readonly value: number;
}
/** Well-formed Unicode: no lone surrogates. */
export interface JsonString extends Place {
  readonly kind: "string";
  readonly value: string;
}
export interface JsonArray extends Place {
  readonly kind: "array";
  readonly items: readonly JsonValue[];
}
/** A map and not a JavaScript object, so that no key (`__proto__`) is special. Members keep their source order. */
export interface JsonObject extends Place {
  readonly kind: "object";
  readonly members: ReadonlyMap<string, JsonValue>;
}

/** A parsed JSON value. */
export type JsonValue = JsonNull | JsonBoolean | JsonNumber | JsonString | JsonArray | JsonObject;
