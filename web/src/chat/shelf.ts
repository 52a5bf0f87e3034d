// Conversations in the browser's storage, each under a key of its own, so that two windows do not
// undo each other's. What is stored comes from outside like anything else: it is checked.
import type { Conversation } from './conversation.ts';

const kPrefix = 'strata.conversation.1.'; // the number changes with the shape

export interface Shelf {
  conversations: Conversation[]; // the latest first
  unreadable: number; // left as they are
}

export function loadAll(storage: Storage): Shelf {
  const shelf: Shelf = { conversations: [], unreadable: 0 };
  for (let i = 0; i < storage.length; i++) {
    const key = storage.key(i) ?? '';
    if (!key.startsWith(kPrefix)) continue;
    const conversation = read(storage.getItem(key) ?? '');
    if (conversation === null) shelf.unreadable++;
    else shelf.conversations.push(conversation);
  }
  shelf.conversations.sort((a, b) => b.updated - a.updated);
  return shelf;
}

/** False where the browser has no room, or keeps nothing at all. */
export function save(storage: Storage, conversation: Conversation): boolean {
  try {
    storage.setItem(kPrefix + conversation.id, JSON.stringify(conversation));
    return true;
  } catch {
    return false;
  }
}

export function remove(storage: Storage, id: string): void {
  storage.removeItem(kPrefix + id);
}

export function isConversationKey(key: string | null): boolean {
  return key?.startsWith(kPrefix) ?? true; // null: all was cleared
}

function read(text: string): Conversation | null {
  try {
    const value = JSON.parse(text) as Partial<Conversation>;
    const whole =
      typeof value.id === 'string' &&
      typeof value.title === 'string' &&
      typeof value.updated === 'number' &&
      typeof value.settings?.model === 'string' &&
      Array.isArray(value.turns);
    return whole ? (value as Conversation) : null;
  } catch {
    return null;
  }
}
