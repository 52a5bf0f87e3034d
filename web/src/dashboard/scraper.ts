// Asks for GET /metrics each second while the dashboard is looked at, and keeps the last minutes.
import { client, noteFailure, session } from '../session.ts';
import { kept } from '../metrics/history.ts';
import { readSnapshot, type Snapshot } from '../metrics/snapshot.ts';
import { Store } from '../ui/store.ts';

const kEveryMs = 1000;

export interface Scraped {
  history: Snapshot[];
  failure: string | null; // of the last attempt
}

export const scraped = new Store<Scraped>({ history: [], failure: null });

/** Returns what ends it. */
export function startScraping(): () => void {
  const abort = new AbortController();
  void scrapeUntil(abort.signal);
  return () => abort.abort();
}

async function scrapeUntil(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const begun = performance.now();
    const wanted = document.visibilityState === 'visible' && session.get().status !== 'locked';
    if (wanted) await scrape(signal);
    const left = Math.max(0, kEveryMs - (performance.now() - begun));
    await new Promise((resolve) => setTimeout(resolve, left));
  }
}

async function scrape(signal: AbortSignal): Promise<void> {
  try {
    const snapshot = readSnapshot(await client.metrics(signal), Date.now() / 1000);
    scraped.update(({ history }) => ({ history: kept(history, snapshot), failure: null }));
  } catch (error) {
    if (signal.aborted) return;
    noteFailure(error);
    scraped.update((old) => ({ ...old, failure: (error as Error).message }));
  }
}
