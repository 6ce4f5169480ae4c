/**
 * A quick yes for valid notebooks: whether a value conforms to a schema of those few keywords that ours uses. It says
 * nothing about what is wrong, and false for any keyword that it does not know: then ajv is asked, which takes longer to
 * load than most notebooks take to export.
 */

type Schema = Record<string, unknown>;
type Json = Record<string, unknown>;

export function conforms(value: unknown, schema: Schema): boolean {
  for (const keyword in schema) {
    const check = checks[keyword];
    if (!check?.(value, schema[keyword], schema)) return false;
  }
  return true;
}

/** Each answers for the values that its keyword is about, and lets all others pass, as JSON Schema has it. */
const checks: Record<string, (value: unknown, rule: unknown, schema: Schema) => boolean> = {
  $schema: () => true,
  type: (value, rule) => (Array.isArray(rule) ? rule : [rule]).some((type) => hasType(value, type)),
  enum: (value, rule) => (rule as unknown[]).includes(value),
  oneOf: (value, rule) => (rule as Schema[]).filter((schema) => conforms(value, schema)).length === 1,
  minimum: (value, rule) => typeof value !== "number" || value >= Number(rule),
  maximum: (value, rule) => typeof value !== "number" || value <= Number(rule),
  minLength: (value, rule) => typeof value !== "string" || [...value].length >= Number(rule),
  maxLength: (value, rule) => typeof value !== "string" || [...value].length <= Number(rule),
  pattern: (value, rule) => typeof value !== "string" || expression(rule as string).test(value),
  items: (value, rule) => !Array.isArray(value) || value.every((item) => conforms(item, rule as Schema)),
  // Only among texts is equality this simple.
  uniqueItems: (value) =>
    !Array.isArray(value) || (value.every((item) => typeof item === "string") && new Set(value).size === value.length),
  required: (value, rule) => !isObject(value) || (rule as string[]).every((name) => Object.hasOwn(value, name)),
  properties: (value, rule) =>
    !isObject(value) ||
    Object.entries(rule as Record<string, Schema>).every(
      ([name, schema]) => !Object.hasOwn(value, name) || conforms(value[name], schema),
    ),
  patternProperties: (value, rule) =>
    !isObject(value) ||
    Object.entries(rule as Record<string, Schema>).every(([pattern, schema]) =>
      Object.keys(value).every((name) => !expression(pattern).test(name) || conforms(value[name], schema)),
    ),
  additionalProperties: (value, rule, { properties = {}, patternProperties = {} }) =>
    rule === true ||
    !isObject(value) ||
    Object.keys(value).every(
      (name) =>
        Object.hasOwn(properties as Json, name) ||
        Object.keys(patternProperties as Json).some((pattern) => expression(pattern).test(name)) ||
        (rule !== false && conforms(value[name], rule as Schema)),
    ),
};

function hasType(value: unknown, type: unknown): boolean {
  switch (type) {
    case "object":
      return isObject(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "null":
      return value === null;
    default:
      return typeof value === type;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const expressions = new Map<string, RegExp>();

function expression(pattern: string): RegExp {
  let compiled = expressions.get(pattern);
  if (!compiled) {
    compiled = new RegExp(pattern, "u");
    expressions.set(pattern, compiled);
  }
  return compiled;
}
