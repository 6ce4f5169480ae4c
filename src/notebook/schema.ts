/** JSON Schema (draft 4) of a notebook file for each minor version of nbformat 4, from the format's documentation. */

type Schema = Record<string, unknown>;

/** Versions after the newest we know are checked by its rules, with unknown members allowed. */
export const newestMinor = 5;

export function notebookSchema(minor: number): Schema {
  const unknownMembers = minor > newestMinor;
  const cellId = minor >= 5 ? { id: { type: "string", pattern: "^[a-zA-Z0-9-_]+$", minLength: 1, maxLength: 64 } } : {};
  const attachments = minor >= 1 ? { attachments: { type: "object", additionalProperties: mimeBundle } } : {};

  const object = (properties: Record<string, unknown>, optional: string[] = []): Schema => ({
    type: "object",
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
    additionalProperties: unknownMembers,
    properties,
  });
  const metadata = (properties: Schema = {}): Schema => ({
    type: "object",
    properties: { name: { type: "string" }, tags, jupyter: { type: "object" }, ...properties },
  });

  const output = {
    oneOf: [
      object({
        output_type: { enum: ["execute_result"] },
        execution_count: count,
        data: mimeBundle,
        metadata: anyObject,
      }),
      object({ output_type: { enum: ["display_data"] }, data: mimeBundle, metadata: anyObject }),
      object({ output_type: { enum: ["stream"] }, name: { type: "string" }, text }),
      object({
        output_type: { enum: ["error"] },
        ename: { type: "string" },
        evalue: { type: "string" },
        traceback: { type: "array", items: { type: "string" } },
      }),
    ],
  };
  const cell = {
    oneOf: [
      object(
        {
          ...cellId,
          cell_type: { enum: ["raw"] },
          metadata: metadata({ format: { type: "string" } }),
          source: text,
          ...attachments,
        },
        ["attachments"],
      ),
      object({ ...cellId, cell_type: { enum: ["markdown"] }, metadata: metadata(), source: text, ...attachments }, [
        "attachments",
      ]),
      object({
        ...cellId,
        cell_type: { enum: ["code"] },
        metadata: metadata({
          collapsed: { type: "boolean" },
          scrolled: { enum: [true, false, "auto"] },
          execution: { type: "object" },
        }),
        source: text,
        outputs: { type: "array", items: output },
        execution_count: count,
      }),
    ],
  };
  return {
    $schema: "http://json-schema.org/draft-04/schema#",
    ...object({
      nbformat: { type: "integer", minimum: 4, maximum: 4 },
      nbformat_minor: { type: "integer", minimum: 0 },
      metadata: {
        type: "object",
        properties: {
          kernelspec: {
            type: "object",
            required: ["name", "display_name"],
            properties: { name: { type: "string" }, display_name: { type: "string" } },
          },
          language_info: { type: "object", required: ["name"], properties: { name: { type: "string" } } },
          orig_nbformat: { type: "integer", minimum: 1 },
          title: { type: "string" },
          authors: { type: "array" },
        },
      },
      cells: { type: "array", items: cell },
    }),
  };
}

const anyObject = { type: "object" };
const count = { type: ["integer", "null"], minimum: 0 };
const text = { oneOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] };
const tags = { type: "array", uniqueItems: true, items: { type: "string", pattern: "^[^,]+$" } };

/** Only JSON types may hold anything but a text. */
const mimeBundle = {
  type: "object",
  additionalProperties: text,
  patternProperties: {
    "^(?!application/json$)[a-zA-Z0-9]+/[a-zA-Z0-9!#$&.+^_-]+\\+json$": {},
    "^application/json$": {},
  },
};
