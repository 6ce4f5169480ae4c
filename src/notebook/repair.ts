/**
 * Makes the best of notebook files that are old or not quite valid, for reading only: showing what is there matters more
 * than the letter of the schema. Nothing that holds text is dropped.
 */

type Json = Record<string, unknown>;

/** A file of nbformat 2 or 3, or a faulty one of 4, in the form of version 4.5. The input is left alone. */
export function repairNotebook(file: unknown): Json {
  const notebook = object(file);
  const major = Number(notebook.nbformat ?? 4);
  const cells =
    major < 4 ? list(notebook.worksheets).flatMap((sheet) => list(object(sheet).cells)) : list(notebook.cells);
  const metadata = object(notebook.metadata);
  for (const name of ["kernelspec", "language_info"]) {
    const value = metadata[name];
    if (value !== undefined && (!isObject(value) || typeof value.name !== "string")) delete metadata[name];
  }
  const spec = metadata.kernelspec as Json | undefined;
  if (spec && typeof spec.display_name !== "string") spec.display_name = spec.name;
  if ("authors" in metadata && !Array.isArray(metadata.authors)) delete metadata.authors;
  if (typeof metadata.title !== "string") delete metadata.title;
  if (
    "orig_nbformat" in metadata &&
    !(Number.isInteger(metadata.orig_nbformat) && Number(metadata.orig_nbformat) > 0)
  ) {
    delete metadata.orig_nbformat;
  }
  return { nbformat: 4, nbformat_minor: 4, metadata, cells: cells.filter(isObject).map(repairCell) };
}

function repairCell(cell: Json): Json {
  const source = lines(cell.source ?? cell.input ?? "");
  const metadata = repairMetadata(cell.metadata);
  if (cell.cell_type === "heading") {
    // A kind of its own until version 4.
    const level = Math.min(6, Math.max(1, Number(cell.level) || 1));
    return { cell_type: "markdown", metadata, source: `${"#".repeat(level)} ${source}` };
  }
  if (cell.cell_type === "code") {
    return {
      cell_type: "code",
      metadata,
      source,
      execution_count: count(cell.execution_count ?? cell.prompt_number),
      outputs: list(cell.outputs).filter(isObject).map(repairOutput),
    };
  }
  const kind = cell.cell_type === "markdown" || cell.cell_type === "html" ? "markdown" : "raw";
  const attachments = isObject(cell.attachments)
    ? { attachments: Object.fromEntries(Object.entries(cell.attachments).filter(([, bundle]) => isObject(bundle))) }
    : {};
  return { cell_type: kind, metadata, source, ...attachments };
}

/** Members whose type the schema fixes go when theirs is another. */
function repairMetadata(value: unknown): Json {
  const metadata = object(value);
  if (metadata.tags !== undefined) {
    metadata.tags = [...new Set(list(metadata.tags).filter((tag) => typeof tag === "string" && /^[^,]+$/.test(tag)))];
  }
  const types: Record<string, (member: unknown) => boolean> = {
    name: (member) => typeof member === "string",
    format: (member) => typeof member === "string",
    jupyter: isObject,
    execution: isObject,
    collapsed: (member) => typeof member === "boolean",
    scrolled: (member) => typeof member === "boolean" || member === "auto",
  };
  for (const [name, fits] of Object.entries(types))
    if (name in metadata && !fits(metadata[name])) delete metadata[name];
  return metadata;
}

function repairOutput(output: Json): Json {
  const type = output.output_type;
  if (type === "stream") {
    return {
      output_type: "stream",
      name: String(output.name ?? output.stream ?? "stdout"),
      text: lines(output.text ?? ""),
    };
  }
  if (type === "error" || type === "pyerr") {
    const traceback = list(output.traceback).map(String);
    return {
      output_type: "error",
      ename: String(output.ename ?? "Error"),
      evalue: String(output.evalue ?? ""),
      traceback,
    };
  }
  const metadata = object(output.metadata);
  const data = isObject(output.data) ? bundle(output.data) : oldBundle(output);
  if (type === "execute_result" || type === "pyout") {
    return {
      output_type: "execute_result",
      execution_count: count(output.execution_count ?? output.prompt_number),
      data,
      metadata,
    };
  }
  const unknown = type !== "display_data" && Object.keys(data).length === 0;
  return { output_type: "display_data", data: unknown ? { "application/json": output } : data, metadata };
}

/** Version 3 put the types beside each other, under short names. */
function oldBundle(output: Json): Json {
  const names: Record<string, string> = {
    text: "text/plain",
    html: "text/html",
    svg: "image/svg+xml",
    png: "image/png",
    jpeg: "image/jpeg",
    latex: "text/latex",
    json: "application/json",
    javascript: "application/javascript",
    pdf: "application/pdf",
  };
  const found = Object.entries(output).filter(([name]) => Object.hasOwn(names, name));
  return bundle(Object.fromEntries(found.map(([name, value]) => [names[name]!, value])));
}

function bundle(data: Json): Json {
  return Object.fromEntries(
    Object.entries(data).map(([type, value]) => [
      type,
      /^application\/(?:.*\+)?json$/.test(type) || isText(value) ? value : JSON.stringify(value),
    ]),
  );
}

function isText(value: unknown): boolean {
  return typeof value === "string" || (Array.isArray(value) && value.every((line) => typeof line === "string"));
}

function lines(value: unknown): string {
  return Array.isArray(value) ? value.map(String).join("") : typeof value === "string" ? value : JSON.stringify(value);
}

function count(value: unknown): number | null {
  return Number.isInteger(value) && Number(value) >= 0 ? Number(value) : null;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function object(value: unknown): Json {
  return isObject(value) ? structuredClone(value) : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
