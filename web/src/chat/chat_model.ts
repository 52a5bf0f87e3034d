// The conversations of this browser and the one answer that may be on its way. Views call these
// functions and watch `chat`; nothing here draws.
import { kNoAnswer, saysSomething, withChunk } from '../api/answer.ts';
import { ApiError } from '../api/client.ts';
import { client, noteFailure, session } from '../session.ts';
import { say } from '../ui/notice.ts';
import { Store } from '../ui/store.ts';
import {
  type AnswerTurn,
  type Conversation,
  type Failure,
  type Settings,
  type Turn,
  cutBefore,
  newConversation,
  newId,
  openCalls,
  requestOf,
  withTurn,
  withoutLastAnswer,
} from './conversation.ts';
import { isConversationKey, loadAll, remove, save } from './shelf.ts';

const kRedrawMs = 40; // how often an answer that streams is drawn

export interface Chat {
  conversations: Conversation[]; // the latest first
  current: string;
  answering: string | null; // the conversation that an answer is on its way for
}

export const chat = new Store<Chat>(start());

let abort: AbortController | null = null;

function start(): Chat {
  const { conversations, unreadable } = loadAll(localStorage);
  if (unreadable > 0) say(`${unreadable} stored conversations cannot be read by this version.`);
  const first = conversations[0] ?? newConversation(Date.now());
  return {
    conversations: conversations.length > 0 ? conversations : [first],
    current: first.id,
    answering: null,
  };
}

// Another window has saved or removed something: its conversations are ours as well.
addEventListener('storage', (event) => {
  if (!isConversationKey(event.key) || chat.get().answering !== null) return;
  chat.update((old) => merged(old, loadAll(localStorage).conversations));
});

/** Those that are stored, and ours that have nothing to store yet. */
function merged(old: Chat, stored: Conversation[]): Chat {
  const fresh = old.conversations.filter(
    (one) => one.turns.length === 0 && !stored.some((other) => other.id === one.id),
  );
  const all = [...fresh, ...stored];
  const conversations = all.length > 0 ? all : [newConversation(Date.now())];
  const current = conversations.find((one) => one.id === old.current) ?? conversations[0];
  return { ...old, conversations, current: current?.id ?? '' };
}

export function currentOf({ conversations, current }: Chat): Conversation {
  return conversations.find((one) => one.id === current) as Conversation;
}

export function select(id: string): void {
  chat.update((old) => ({ ...old, current: id }));
}

/** The next or previous one in the list. */
export function step(by: number): void {
  const { conversations, current } = chat.get();
  const at = conversations.findIndex((one) => one.id === current) + by;
  const next = conversations[at];
  if (next !== undefined) select(next.id);
}

export function begin(): void {
  const { settings } = currentOf(chat.get());
  const empty = chat.get().conversations.find((one) => one.turns.length === 0 && !one.named);
  if (empty !== undefined) return select(empty.id);
  const made = newConversation(Date.now(), settings);
  chat.update((old) => ({ ...old, conversations: [made, ...old.conversations], current: made.id }));
}

export function rename(id: string, title: string): void {
  if (title.trim() === '') return;
  change(id, (old) => ({ ...old, title: title.trim(), named: true }));
  store(id);
}

export function discard(id: string): void {
  const gone = chat.get().conversations.find((one) => one.id === id);
  if (gone === undefined) return;
  if (chat.get().answering === id) stop();
  remove(localStorage, id);
  chat.update((old) => without(old, id));
  if (gone.turns.length === 0) return;
  say(`“${gone.title}” is deleted.`, { label: 'Undo', act: () => restore(gone) });
}

function without(old: Chat, id: string): Chat {
  const left = old.conversations.filter((one) => one.id !== id);
  const conversations = left.length > 0 ? left : [newConversation(Date.now())];
  const current = old.current === id ? (conversations[0]?.id ?? '') : old.current;
  return { ...old, conversations, current };
}

function restore(gone: Conversation): void {
  chat.update((old) => ({
    ...old,
    conversations: [...old.conversations, gone].sort((a, b) => b.updated - a.updated),
    current: gone.id,
  }));
  store(gone.id);
}

export function setSettings(id: string, settings: Partial<Settings>): void {
  change(id, (old) => ({ ...old, settings: { ...old.settings, ...settings } }));
  if (currentOf(chat.get()).turns.length > 0) store(id);
}

export function send(text: string): void {
  const id = chat.get().current;
  add(id, { id: newId(), role: 'user', content: text });
  void answer(id);
}

export function giveResult(callId: string, content: string): void {
  const id = chat.get().current;
  add(id, { id: newId(), role: 'tool', callId, content });
  if (openCalls(currentOf(chat.get())).length === 0) void answer(id);
}

/** Answers the last message again. */
export function regenerate(): void {
  const id = chat.get().current;
  change(id, withoutLastAnswer);
  void answer(id);
}

/** Takes the talk back to this message and says something else. */
export function resend(turnId: string, text: string): void {
  change(chat.get().current, (old) => cutBefore(old, turnId));
  send(text);
}

export function stop(): void {
  abort?.abort();
}

function change(id: string, how: (old: Conversation) => Conversation): void {
  chat.update((old) => ({
    ...old,
    conversations: old.conversations.map((one) => (one.id === id ? how(one) : one)),
  }));
}

function add(id: string, turn: Turn): void {
  change(id, (old) => withTurn(old, turn, Date.now()));
  chat.update((old) => ({
    ...old,
    conversations: [...old.conversations].sort((a, b) => b.updated - a.updated),
  }));
  store(id);
}

function store(id: string): void {
  const conversation = chat.get().conversations.find((one) => one.id === id);
  if (conversation === undefined || save(localStorage, conversation)) return;
  say('The browser has no room left for conversations: export or delete some.');
}

function replaceTurn(id: string, turn: Turn): void {
  change(id, (old) => ({
    ...old,
    turns: old.turns.map((one) => (one.id === turn.id ? turn : one)),
  }));
}

async function answer(id: string): Promise<void> {
  if (abort !== null) return;
  abort = new AbortController();
  const turn: AnswerTurn = {
    id: newId(),
    role: 'assistant',
    answer: kNoAnswer,
    timing: null,
    failure: null,
    stopped: false,
  };
  change(id, (old) => withTurn(old, turn, Date.now()));
  chat.update((old) => ({ ...old, answering: id }));
  const ended = await stream(id, turn, abort);
  abort = null;
  replaceTurn(id, ended);
  chat.update((old) => ({ ...old, answering: null }));
  store(id);
}

/** The turn as it stands at the end, however the stream ends. */
async function stream(id: string, begun: AnswerTurn, abort: AbortController): Promise<AnswerTurn> {
  const sent = performance.now();
  let turn = begun;
  let drawn = 0;
  try {
    for await (const chunk of client.chat(bodyOf(id, begun), abort.signal)) {
      const now = performance.now();
      const timing = saysSomething(chunk)
        ? { firstMs: turn.timing?.firstMs ?? now - sent, lastMs: now - sent }
        : turn.timing;
      turn = { ...turn, answer: withChunk(turn.answer, chunk), timing };
      if (now - drawn < kRedrawMs) continue;
      replaceTurn(id, turn);
      drawn = now;
    }
    return turn;
  } catch (error) {
    if (abort.signal.aborted) return { ...turn, stopped: true };
    noteFailure(error);
    return { ...turn, failure: failureOf(error) };
  }
}

function bodyOf(id: string, begun: AnswerTurn): ReturnType<typeof requestOf> {
  const conversation = chat.get().conversations.find((one) => one.id === id) as Conversation;
  const request = requestOf(cutBefore(conversation, begun.id));
  // A conversation may name a model of another server that was here before.
  const { models } = session.get();
  const known = models.some((model) => model.id === request.model);
  return { ...request, model: known ? request.model : (models[0]?.id ?? '') };
}

function failureOf(error: unknown): Failure {
  if (error instanceof ApiError) {
    return { message: error.message, status: error.status, code: error.code, param: error.param };
  }
  return { message: (error as Error).message, status: 0, code: '', param: '' };
}

// What has streamed so far is kept when the page goes away.
addEventListener('pagehide', () => {
  const { answering } = chat.get();
  if (answering !== null) store(answering);
});
