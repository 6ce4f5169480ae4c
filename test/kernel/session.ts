import type { ExecuteOptions, ExecuteReply } from "../../kernel/client.js";
import { type LaunchedKernel, type LaunchOptions, launchKernel } from "../../kernel/launch.js";
import type { RunningKernel } from "../../kernel/running.js";
import type { Message } from "../../kernel/wire.js";

/** What one cell led to. */
export interface Ran {
  reply: ExecuteReply;
  /** In order, without status messages. */
  messages: Message[];
  stdout: string;
  stderr: string;
  /** `text/plain` of the result. */
  result: string | undefined;
  /** Message types in order, without status and execute_input. */
  types: string[];
}

export interface TestKernel extends LaunchedKernel {
  run(code: string, options?: ExecuteOptions): Promise<Ran>;
}

/** A real kernel process; its history is not the user's. */
export async function startKernel(folder: string, options: LaunchOptions = {}): Promise<TestKernel> {
  const env = { ...process.env, KAISETSU_DATA_DIR: folder, ...options.env };
  const kernel = await launchKernel({ cwd: folder, ...options, env });
  return Object.assign(kernel, { run: (code: string, how?: ExecuteOptions) => runCell(kernel, code, how) });
}

export async function runCell(kernel: RunningKernel, code: string, options?: ExecuteOptions): Promise<Ran> {
  const execution = kernel.client.execute(code, options);
  const all: Message[] = [];
  for await (const message of execution) all.push(message);
  const { content: reply } = await execution.reply;
  const messages = all.filter(({ header }) => header.msg_type !== "status");
  const text = (name: string) =>
    messages
      .filter(({ header, content }) => header.msg_type === "stream" && content.name === name)
      .map(({ content }) => content.text)
      .join("");
  const shown = messages.find(({ header }) => header.msg_type === "execute_result");
  return {
    reply,
    messages,
    stdout: text("stdout"),
    stderr: text("stderr"),
    result: (shown?.content.data as Record<string, string> | undefined)?.["text/plain"],
    types: messages.map(({ header }) => header.msg_type).filter((type) => type !== "execute_input"),
  };
}

/** Without colours. */
export function plain(lines: string[] | undefined): string {
  return (lines ?? []).join("\n").replace(/\u001b\[\d+m/g, "");
}
