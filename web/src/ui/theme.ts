// Light or dark: as the system has it until the user says otherwise. Colours are style.css's.
import { Store } from './store.ts';

const kName = 'strata.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

export type Theme = 'light' | 'dark';

function chosen(): Theme {
  const stored = localStorage.getItem(kName);
  if (stored === 'light' || stored === 'dark') return stored;
  return dark.matches ? 'dark' : 'light';
}

export const theme = new Store<Theme>(chosen());

function apply(): void {
  document.documentElement.dataset['theme'] = theme.get();
}

theme.watch(apply);
apply();
dark.addEventListener('change', () => theme.set(chosen()));

export function toggleTheme(): void {
  const next = theme.get() === 'dark' ? 'light' : 'dark';
  // Back to what the system says: then it may change with the system again.
  if (next === (dark.matches ? 'dark' : 'light')) localStorage.removeItem(kName);
  else localStorage.setItem(kName, next);
  theme.set(next);
}
