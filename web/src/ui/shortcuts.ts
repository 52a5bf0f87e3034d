// The keys of the whole page, in one table that the help shows too. Keys of a field or a list are
// with that field or list.
import { begin, chat, step, stop } from '../chat/chat_model.ts';
import { kComposerId } from '../chat/composer.tsx';
import { panels, togglePanel } from './panels.ts';
import { go, route } from './route.ts';
import { Store } from './store.ts';
import { toggleTheme } from './theme.ts';

export const helpShown = new Store(false);

interface Shortcut {
  keys: string; // as shown
  what: string;
  code?: string; // with Alt; by place on the keyboard, as Alt changes letters on some
  act?: () => void;
}

const kChat = (act: () => void) => (): void => {
  go('chat');
  act();
};

export const kShortcuts: Shortcut[] = [
  { keys: 'Enter', what: 'Send the message' },
  { keys: 'Shift+Enter', what: 'Begin a new line' },
  { keys: '↑', what: 'Edit the last message, from an empty field' },
  { keys: 'Esc', what: 'Stop the answer, or close what is open' },
  { keys: '/', what: 'Go to the message field' },
  { keys: 'Alt+N', what: 'New conversation', code: 'KeyN', act: kChat(begin) },
  { keys: 'Alt+↑', what: 'Conversation above', code: 'ArrowUp', act: kChat(() => step(-1)) },
  { keys: 'Alt+↓', what: 'Conversation below', code: 'ArrowDown', act: kChat(() => step(1)) },
  { keys: 'F2, Delete', what: 'Rename or delete the conversation in focus' },
  { keys: 'Alt+P', what: 'Parameters', code: 'KeyP', act: kChat(() => togglePanel('settings')) },
  { keys: 'Alt+1', what: 'Chat', code: 'Digit1', act: () => go('chat') },
  { keys: 'Alt+2', what: 'Dashboard', code: 'Digit2', act: () => go('dashboard') },
  { keys: 'Alt+T', what: 'Light or dark', code: 'KeyT', act: toggleTheme },
  { keys: '?', what: 'This list', code: 'Slash', act: () => helpShown.update((shown) => !shown) },
];

function typing(target: EventTarget | null): boolean {
  return target instanceof Element && target.matches('input, textarea, select');
}

function escape(): void {
  const { list, settings } = panels.get();
  if (list || settings) panels.set({ list: false, settings: false });
  else if (chat.get().answering !== null) stop();
}

function plainKey(event: KeyboardEvent): void {
  if (event.key === 'Escape' && document.querySelector('dialog') === null) return escape();
  if (typing(event.target) || event.ctrlKey || event.metaKey) return;
  if (event.key === '?') helpShown.set(true);
  if (event.key !== '/' || route.get() !== 'chat') return;
  event.preventDefault();
  document.getElementById(kComposerId)?.focus();
}

export function listenForShortcuts(): void {
  addEventListener('keydown', (event) => {
    if (!event.altKey) return plainKey(event);
    const found = kShortcuts.find((one) => one.code === event.code && one.act !== undefined);
    if (found === undefined || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    found.act?.();
  });
}
