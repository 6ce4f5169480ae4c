import { Template } from "@huggingface/jinja";
import { ChatTemplateError } from "../errors.js";
import type { Message, Role } from "../types.js";

/** A chat template, compiled once. */
export class ChatTemplate {
  private readonly template: Template;
  private readonly assistantRole: Role;

  /** @throws ChatTemplateError when the Jinja source does not parse. */
  constructor(source: string) {
    try {
      this.template = new Template(source);
    } catch (error) {
      throw new ChatTemplateError(`the chat template does not parse: ${(error as Error).message}`);
    }
    this.assistantRole = assistantRoleOf(source);
  }

  /**
   * The conversation as text, with the special tokens that the template itself writes (Gemma's starts with `<bos>`).
   *
   * @param variables what the template may use besides the messages: special tokens, `add_generation_prompt`, tools, …
   * @throws ChatTemplateError with the template's own message when it refuses the conversation.
   */
  render(messages: readonly Message[], variables: Record<string, unknown>): string {
    try {
      return this.template.render({
        ...variables,
        messages: messages.map((message) => ({ ...message, role: this.roleFor(message.role) })),
      });
    } catch (error) {
      const roles = messages.map(({ role }) => role).join(", ");
      throw new ChatTemplateError(
        `the chat template refuses this conversation: ${(error as Error).message} (roles in order: ${roles})`,
      );
    }
  }

  private roleFor(role: Role): Role {
    return role === "assistant" || role === "model" ? this.assistantRole : role;
  }
}

/**
 * Dialogues may call the model "assistant" or "model", but a template knows one of the two: written by the other name,
 * a turn would carry a header that the model has never seen. Gemma's turns are the ones named "model".
 */
function assistantRoleOf(source: string): Role {
  return source.includes("<start_of_turn>") ? "model" : "assistant";
}
