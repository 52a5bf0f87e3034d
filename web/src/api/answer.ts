// An answer as it grows: what the chunks of one stream say, put together. Values only; each chunk
// makes a new one, so that views see that something changed.
import type { Chunk, ToolCall, ToolCallDelta, Usage } from './types.ts';

export interface Answer {
  content: string;
  reasoning: string;
  toolCalls: ToolCall[];
  finish: string | null;
  usage: Usage | null;
}

export const kNoAnswer: Answer = {
  content: '',
  reasoning: '',
  toolCalls: [],
  finish: null,
  usage: null,
};

/** Whether a chunk brings something that a reader sees: the first one ends the time to first token. */
export function saysSomething(chunk: Chunk): boolean {
  const delta = chunk.choices[0]?.delta;
  return Boolean(delta?.content || delta?.reasoning_content || delta?.tool_calls?.length);
}

export function withChunk(answer: Answer, chunk: Chunk): Answer {
  const choice = chunk.choices[0];
  const delta = choice?.delta ?? {};
  return {
    content: answer.content + (delta.content ?? ''),
    reasoning: answer.reasoning + (delta.reasoning_content ?? ''),
    toolCalls: (delta.tool_calls ?? []).reduce(withCall, answer.toolCalls),
    finish: choice?.finish_reason ?? answer.finish,
    usage: chunk.usage ?? answer.usage,
  };
}

function withCall(calls: ToolCall[], delta: ToolCallDelta): ToolCall[] {
  const old = calls[delta.index];
  const call: ToolCall = {
    id: delta.id ?? old?.id ?? '',
    type: 'function',
    function: {
      name: (old?.function.name ?? '') + (delta.function?.name ?? ''),
      arguments: (old?.function.arguments ?? '') + (delta.function?.arguments ?? ''),
    },
  };
  return old === undefined ? [...calls, call] : calls.map((one) => (one === old ? call : one));
}

/** Times in milliseconds since the request was sent. */
export interface Timing {
  firstMs: number;
  lastMs: number;
}

// Events that come closer together than this came in one piece: their times say nothing.
const kLeastMs = 20;

/** Tokens a second behind the first one; null where they came too fast to tell. */
export function tokensPerSecond(usage: Usage | null, timing: Timing | null): number | null {
  if (usage === null || timing === null) return null;
  const ms = timing.lastMs - timing.firstMs;
  return ms < kLeastMs ? null : ((usage.completion_tokens - 1) * 1000) / ms;
}
