// Conversations that survive, and things in the storage that are none.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { newConversation } from './conversation.ts';
import { isConversationKey, loadAll, remove, save } from './shelf.ts';

class FakeStorage implements Storage {
  #items = new Map<string, string>();
  #room: number;
  [name: string]: unknown;

  constructor(room = Infinity) {
    this.#room = room;
  }

  get length(): number {
    return this.#items.size;
  }
  key(index: number): string | null {
    return [...this.#items.keys()][index] ?? null;
  }
  getItem(key: string): string | null {
    return this.#items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    if (value.length > this.#room) throw new Error('QuotaExceededError');
    this.#items.set(key, value);
  }
  removeItem(key: string): void {
    this.#items.delete(key);
  }
  clear(): void {
    this.#items.clear();
  }
}

test('what was saved comes back, the latest first', () => {
  const storage = new FakeStorage();
  const old = newConversation(1);
  const late = newConversation(2);
  assert.ok(save(storage, old) && save(storage, late));
  assert.deepEqual(loadAll(storage), { conversations: [late, old], unreadable: 0 });
  remove(storage, late.id);
  assert.deepEqual(loadAll(storage).conversations, [old]);
});

test('what is no conversation is counted and left alone', () => {
  const storage = new FakeStorage();
  storage.setItem('strata.conversation.1.a', '{"id": 7}');
  storage.setItem('strata.conversation.1.b', 'no JSON');
  storage.setItem('theme', 'dark');
  assert.deepEqual(loadAll(storage), { conversations: [], unreadable: 2 });
  assert.equal(storage.length, 3);
});

test('no room is said, not thrown', () => {
  assert.equal(save(new FakeStorage(10), newConversation(1)), false);
});

test('keys of conversations are told from others', () => {
  assert.deepEqual(
    ['strata.conversation.1.x', 'strata.theme', null].map(isConversationKey),
    [true, false, true],
  );
});
