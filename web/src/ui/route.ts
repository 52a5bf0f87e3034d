// Which of the two views is shown: the address behind the hash, so that a reload stays there.
import { Store } from './store.ts';

export type Route = 'chat' | 'dashboard';

function read(): Route {
  return location.hash === '#dashboard' ? 'dashboard' : 'chat';
}

export const route = new Store<Route>(read());

addEventListener('hashchange', () => route.set(read()));

export function go(to: Route): void {
  location.hash = to;
}
