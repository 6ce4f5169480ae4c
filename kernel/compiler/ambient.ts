/** Declarations of what the kernel puts into every cell's scope, and of the modules that it provides itself. */

export const globalsDeclaration = `
/** Asks the person in front of the notebook, and blocks until there is an answer. */
declare function prompt(message?: string, defaultValue?: string): string;
/** Asks a yes-or-no question; true for yes. */
declare function confirm(message?: string): boolean;
/** Asks without showing what is typed. */
declare function password(message?: string): string;
interface KaisetsuMimeBundle { [mime: string]: unknown }
interface KaisetsuDisplayHandle {
  readonly display_id: string;
  /** Replaces what is shown. */
  update(value: unknown, options?: { raw?: boolean; metadata?: Record<string, unknown> }): void;
}
/** The notebook: showing things in it, talking to widgets in it. */
declare const notebook: {
  /** Shows a value as the last expression of a cell would be shown; with \`raw\`, the value is a MIME bundle. */
  display(value: unknown, options?: { raw?: boolean; metadata?: Record<string, unknown>; display_id?: string; update?: boolean }): KaisetsuDisplayHandle;
  clearOutput(wait?: boolean): void;
  html(strings: TemplateStringsArray | string, ...values: unknown[]): unknown;
  md(strings: TemplateStringsArray | string, ...values: unknown[]): unknown;
  svg(strings: TemplateStringsArray | string, ...values: unknown[]): unknown;
  /** Sends any message on the iopub channel. */
  broadcast(msgType: string, content: Record<string, unknown>, extra?: { metadata?: Record<string, unknown>; buffers?: Uint8Array[] }): Promise<void>;
  comms: {
    /** Calls \`opened\` whenever the front end opens a comm with this target name. */
    registerTarget(name: string, opened: (comm: KaisetsuComm, message: KaisetsuCommMessage) => void): void;
    unregisterTarget(name: string): void;
    open(target: string, options?: { data?: unknown; metadata?: Record<string, unknown>; buffers?: Uint8Array[]; comm_id?: string }): KaisetsuComm;
  };
  /** Settings of this kernel. */
  settings: { types: "block" | "warn" | "off" };
};
interface KaisetsuCommMessage { data: any; metadata: Record<string, unknown>; buffers: Uint8Array[] }
interface KaisetsuComm {
  readonly comm_id: string;
  readonly target_name: string;
  onMessage(listener: (message: KaisetsuCommMessage) => void): void;
  onClose(listener: (message: KaisetsuCommMessage) => void): void;
  send(data: unknown, options?: { metadata?: Record<string, unknown>; buffers?: Uint8Array[] }): void;
  close(data?: unknown): void;
}
/** The part of Deno's notebook interface that notebooks written for it use. */
declare const Deno: {
  jupyter: {
    display(value: unknown, options?: { raw?: boolean; update?: boolean; display_id?: string }): Promise<void>;
    broadcast(msgType: string, content: Record<string, unknown>, extra?: { metadata?: Record<string, unknown>; buffers?: Uint8Array[] }): Promise<void>;
    html(strings: TemplateStringsArray, ...values: unknown[]): unknown;
    md(strings: TemplateStringsArray, ...values: unknown[]): unknown;
    svg(strings: TemplateStringsArray, ...values: unknown[]): unknown;
    readonly $display: unique symbol;
  };
};
`;

/** tslab's public interface, kept so that notebooks written for tslab run. */
export const tslabDeclaration = `
export interface Display {
  javascript(s: string): void;
  html(s: string): void;
  markdown(s: string): void;
  latex(s: string): void;
  svg(s: string): void;
  png(b: Uint8Array): void;
  jpeg(b: Uint8Array): void;
  gif(b: Uint8Array): void;
  pdf(b: Uint8Array): void;
  text(s: string): void;
  raw(contentType: string, b: string | Uint8Array): void;
}
export declare const versions: { tslab: string; typescript: string; node: string };
/** A display whose content a later call replaces. */
export declare function newDisplay(): Display;
export declare const display: Display;
`;
