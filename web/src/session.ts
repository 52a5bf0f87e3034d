// Whether the server is there, which models it has and whether it asks for a key. Asks until it is
// ready, then only again when a request shows that something has changed.
import { ApiClient, ApiError } from './api/client.ts';
import type { Model } from './api/types.ts';
import { Store } from './ui/store.ts';

const kKeyName = 'strata.key';
const kRetryMs = 1000;

export interface Session {
  status: 'connecting' | 'loading' | 'ready' | 'draining' | 'stalled' | 'unreachable' | 'locked';
  progress: number | null; // of loading, 0 to 1
  models: Model[];
  version: string;
  keyWanted: string | null; // what the server said when it asked for one
}

export const session = new Store<Session>({
  status: 'connecting',
  progress: null,
  models: [],
  version: '',
  keyWanted: null,
});

// For this tab only: a key has no place in a storage that outlives it.
export const client = new ApiClient(sessionStorage.getItem(kKeyName) ?? '');

let asking = false;

export async function connect(): Promise<void> {
  if (asking) return;
  asking = true;
  while (!(await attempt())) await new Promise((resolve) => setTimeout(resolve, kRetryMs));
  asking = false;
}

export function giveKey(key: string): void {
  sessionStorage.setItem(kKeyName, key);
  client.setKey(key);
  session.update((old) => ({ ...old, keyWanted: null, status: 'connecting' }));
  void connect();
}

/** What every failed request goes through: a wrong key or a lost server concerns the whole page. */
export function noteFailure(error: unknown): void {
  if (!(error instanceof ApiError)) return;
  if (error.status === 401) lock(error.message);
  else if (error.status === 0 || error.status === 503) void connect();
}

function lock(message: string): void {
  session.update((old) => ({ ...old, status: 'locked', keyWanted: message }));
}

/** True when there is nothing left to ask. */
async function attempt(): Promise<boolean> {
  try {
    const { ready, status, progress } = await client.readiness();
    if (!ready) {
      session.update((old) => ({ ...old, status: status as Session['status'], progress }));
      return false;
    }
    const [models, version] = await Promise.all([client.models(), client.version()]);
    session.update((old) => ({ ...old, status: 'ready', progress: null, models, version }));
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) {
      lock(error.message);
      return true;
    }
    session.update((old) => ({ ...old, status: 'unreachable' }));
    return false;
  }
}
