// The last minutes of snapshots, and the series that charts draw from them: counters become rates,
// histograms percentiles over a window. Pure; who scrapes is dashboard/scraper.ts.
import { countedSince, percentile } from './histogram.ts';
import type { Snapshot } from './snapshot.ts';

export const kKept = 301; // snapshots: five minutes at one a second
const kWindow = 15; // seconds that a percentile or a hit rate looks back
const kGap = 3.5; // seconds without a scrape after which a line breaks

export type Points = (number | null)[];

export interface Percentiles {
  p50: Points; // milliseconds
  p90: Points;
  p99: Points;
}

export interface Series {
  times: number[];
  answerRate: Points; // tokens a second
  promptRate: Points;
  hitRate: Points; // share of looked-up prompt tokens
  running: Points;
  waiting: Points;
  firstToken: Percentiles;
  betweenTokens: Percentiles;
  blocks: { name: string; points: Points }[];
}

export function kept(history: Snapshot[], next: Snapshot): Snapshot[] {
  const last = history.at(-1);
  // A server that was started anew counts from zero: nothing before is its own.
  if (last !== undefined && next.answerTokens < last.answerTokens) return [next];
  return [...history, next].slice(-kKept);
}

export function seriesOf(history: Snapshot[]): Series {
  const names = history.at(-1)?.blocks.map((block) => block.name) ?? [];
  return {
    times: history.map((one) => one.time),
    answerRate: rates(history, (one) => one.answerTokens),
    promptRate: rates(history, (one) => one.promptTokens),
    hitRate: history.map((one, i) => hitRate(one, history[windowStart(history, i)])),
    running: history.map((one) => one.running),
    waiting: history.map((one) => one.waiting),
    firstToken: percentiles(history, 'firstToken'),
    betweenTokens: percentiles(history, 'betweenTokens'),
    blocks: names.map((name) => ({
      name,
      points: history.map((one) => one.blocks.find((block) => block.name === name)?.value ?? null),
    })),
  };
}

function rates(history: Snapshot[], read: (one: Snapshot) => number): Points {
  return history.map((one, i) => {
    const before = history[i - 1];
    if (before === undefined || one.time - before.time > kGap) return null;
    return (read(one) - read(before)) / (one.time - before.time);
  });
}

/** Where the window of snapshot i begins: the latest one that is kWindow old, or the oldest. */
function windowStart(history: Snapshot[], i: number): number {
  const start = (history[i]?.time ?? 0) - kWindow;
  let at = i;
  while (at > 0 && (history[at]?.time ?? 0) > start) at--;
  return at;
}

function hitRate(now: Snapshot, before: Snapshot | undefined): number | null {
  const queries = now.cacheQueries - (before?.cacheQueries ?? 0);
  return queries > 0 ? (now.cacheHits - (before?.cacheHits ?? 0)) / queries : null;
}

function percentiles(history: Snapshot[], name: 'firstToken' | 'betweenTokens'): Percentiles {
  const windows = history.map((one, i) =>
    i === 0 ? [] : countedSince(one[name], history[windowStart(history, i)]?.[name]),
  );
  const points = (share: number): Points =>
    windows.map((window) => {
      const seconds = percentile(window, share);
      return seconds === null ? null : seconds * 1000;
    });
  return { p50: points(0.5), p90: points(0.9), p99: points(0.99) };
}
