// A conversation as the browser keeps it, and what can be done to one. Values and pure functions:
// nothing is sent or stored here.
import type { Answer, Timing } from '../api/answer.ts';
import type { ChatRequest, Message } from '../api/types.ts';

/** As typed; what is empty is the server's choice. */
export interface Settings {
  model: string;
  system: string;
  temperature: string;
  topP: string;
  maxTokens: string;
  seed: string;
  tools: string; // JSON: OpenAI's list of functions
}

export interface Failure {
  message: string;
  status: number;
  code: string;
  param: string;
}

export interface UserTurn {
  id: string;
  role: 'user';
  content: string;
}

export interface AnswerTurn {
  id: string;
  role: 'assistant';
  answer: Answer;
  timing: Timing | null;
  failure: Failure | null;
  stopped: boolean; // by the user
}

/** What a tool gave back, typed in by hand: this page calls nothing. */
export interface ToolTurn {
  id: string;
  role: 'tool';
  callId: string;
  content: string;
}

export type Turn = UserTurn | AnswerTurn | ToolTurn;

export interface Conversation {
  id: string;
  title: string;
  named: boolean; // by the user: the first message no longer decides
  updated: number; // ms since 1970
  settings: Settings;
  turns: Turn[];
}

export const kDefaultSettings: Settings = {
  model: '',
  system: '',
  temperature: '',
  topP: '',
  maxTokens: '',
  seed: '',
  tools: '',
};

export const kUntitled = 'New conversation';
const kTitleLength = 48;

export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) =>
    byte.toString(36).padStart(2, '0'),
  ).join('');
}

/** Begins with the settings of the one before: who set a system prompt wants it again. */
export function newConversation(now: number, settings: Settings = kDefaultSettings): Conversation {
  return { id: newId(), title: kUntitled, named: false, updated: now, settings, turns: [] };
}

export function withTurn(conversation: Conversation, turn: Turn, now: number): Conversation {
  const first = turn.role === 'user' && !conversation.named && conversation.turns.length === 0;
  return {
    ...conversation,
    title: first ? titleOf(turn.content) : conversation.title,
    updated: now,
    turns: [...conversation.turns, turn],
  };
}

export function titleOf(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ');
  if (line === '') return kUntitled;
  return line.length <= kTitleLength ? line : `${line.slice(0, kTitleLength - 1).trimEnd()}…`;
}

/** Everything before the turn with this id, which goes as well. */
export function cutBefore(conversation: Conversation, id: string): Conversation {
  const at = conversation.turns.findIndex((turn) => turn.id === id);
  return at < 0 ? conversation : { ...conversation, turns: conversation.turns.slice(0, at) };
}

/** Without the last answer, so that it can be given again. */
export function withoutLastAnswer(conversation: Conversation): Conversation {
  const last = conversation.turns.at(-1);
  return last?.role === 'assistant' ? cutBefore(conversation, last.id) : conversation;
}

/** Calls of the last answer that have no result yet. */
export function openCalls(conversation: Conversation): string[] {
  const at = conversation.turns.findLastIndex((turn) => turn.role === 'assistant');
  const asking = conversation.turns[at];
  if (asking?.role !== 'assistant') return [];
  const given = conversation.turns
    .slice(at + 1)
    .map((turn) => (turn.role === 'tool' ? turn.callId : ''));
  return asking.answer.toolCalls.map((call) => call.id).filter((id) => !given.includes(id));
}

/** A setting that cannot be sent: which field, and why. */
export class SettingError extends Error {}

export function requestOf(conversation: Conversation): ChatRequest {
  const { settings } = conversation;
  const request: ChatRequest = {
    model: settings.model,
    messages: messagesOf(conversation),
    stream: true,
    stream_options: { include_usage: true },
  };
  const temperature = numberOf('Temperature', settings.temperature);
  const topP = numberOf('Top p', settings.topP);
  const maxTokens = numberOf('Max tokens', settings.maxTokens);
  const seed = numberOf('Seed', settings.seed);
  if (temperature !== null) request.temperature = temperature;
  if (topP !== null) request.top_p = topP;
  if (maxTokens !== null) request.max_tokens = maxTokens;
  if (seed !== null) request.seed = seed;
  if (settings.tools.trim() !== '') request.tools = toolsOf(settings.tools);
  return request;
}

/** OpenAI's messages. An answer that failed before it said anything is not part of the talk. */
export function messagesOf(conversation: Conversation): Message[] {
  const { system } = conversation.settings;
  const start: Message[] = system.trim() === '' ? [] : [{ role: 'system', content: system }];
  return [...start, ...conversation.turns.flatMap(messageOf)];
}

function messageOf(turn: Turn): Message[] {
  if (turn.role === 'user') return [{ role: 'user', content: turn.content }];
  if (turn.role === 'tool') {
    return [{ role: 'tool', content: turn.content, tool_call_id: turn.callId }];
  }
  const { content, toolCalls } = turn.answer;
  if (content === '' && toolCalls.length === 0) return [];
  if (toolCalls.length === 0) return [{ role: 'assistant', content }];
  return [{ role: 'assistant', content: content || null, tool_calls: toolCalls }];
}

function numberOf(field: string, text: string): number | null {
  if (text.trim() === '') return null;
  const value = Number(text);
  if (Number.isNaN(value)) throw new SettingError(`${field} is no number: ${text}`);
  return value;
}

function toolsOf(text: string): unknown[] {
  let tools: unknown;
  try {
    tools = JSON.parse(text);
  } catch (error) {
    throw new SettingError(`Tools are no JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(tools)) throw new SettingError('Tools must be a JSON list of functions');
  return tools;
}

/** A file that a script can send again as it is. */
export function exportOf(conversation: Conversation): string {
  const { title, settings, turns } = conversation;
  const usage = turns.flatMap((turn) => (turn.role === 'assistant' ? [turn.answer.usage] : []));
  return `${JSON.stringify({ title, settings, messages: messagesOf(conversation), usage }, null, 2)}\n`;
}
