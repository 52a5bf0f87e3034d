// One line at the foot of the page that says what has just happened, for a few seconds.
import { Store } from './store.ts';

const kShownMs = 8000;

export interface Notice {
  text: string;
  action?: { label: string; act: () => void } | undefined;
}

export const notice = new Store<Notice | null>(null);

let timer = 0;

export function say(text: string, action?: Notice['action']): void {
  notice.set({ text, action });
  clearTimeout(timer);
  timer = window.setTimeout(hush, kShownMs);
}

export function hush(): void {
  notice.set(null);
}
