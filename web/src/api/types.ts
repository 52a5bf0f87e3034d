// The API's objects as this page writes and reads them: of each only the members that it uses.
// docs/api.md describes the rest.

export interface ToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

export type Message =
  | { role: 'system' | 'user'; content: string }
  | { role: 'assistant'; content: string | null; tool_calls?: ToolCall[] }
  | { role: 'tool'; content: string; tool_call_id: string };

/** What is left out is the server's choice. */
export interface ChatRequest {
  model: string;
  messages: Message[];
  stream: true;
  stream_options: { include_usage: true };
  temperature?: number;
  top_p?: number;
  max_tokens?: number;
  seed?: number;
  tools?: unknown[];
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

export interface ToolCallDelta {
  index: number;
  id?: string;
  function?: { name?: string; arguments?: string };
}

export interface Delta {
  content?: string | null;
  reasoning_content?: string | null;
  tool_calls?: ToolCallDelta[];
}

export interface Chunk {
  choices: { index: number; delta: Delta; finish_reason: string | null }[];
  usage?: Usage | null;
}

export interface Model {
  id: string;
  max_model_len: number;
}

export interface ErrorBody {
  message: string;
  type?: string | null;
  param?: string | null;
  code?: string | number | null;
}
