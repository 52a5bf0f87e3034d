// Which of the chat's side panels are open. On wide screens the list always shows.
import { Store } from './store.ts';

export interface Panels {
  list: boolean;
  settings: boolean;
}

export const panels = new Store<Panels>({ list: false, settings: false });

export function togglePanel(name: keyof Panels, open?: boolean): void {
  panels.update((old) => ({ ...old, [name]: open ?? !old[name] }));
}
