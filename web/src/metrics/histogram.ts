// Percentiles from the cumulative buckets of a histogram, linear within a bucket as PromQL's
// histogram_quantile has them. No time here: a window is the difference of two scrapes.

export interface Bucket {
  border: number; // upper, inclusive; the last is Infinity
  count: number; // of all values up to the border
}

/** What was counted between two scrapes; all of it where there is no earlier one. */
export function countedSince(now: Bucket[], before: Bucket[] | undefined): Bucket[] {
  if (before === undefined || before.length !== now.length) return now;
  return now.map(({ border, count }, i) => ({ border, count: count - (before[i]?.count ?? 0) }));
}

/** Null where nothing was counted. A value past the last finite border is said to lie on it. */
export function percentile(buckets: Bucket[], share: number): number | null {
  const total = buckets.at(-1)?.count ?? 0;
  if (total <= 0) return null;
  const rank = share * total;
  const at = buckets.findIndex((bucket) => bucket.count >= rank && bucket.count > 0);
  const { border, count } = buckets[at] ?? { border: Infinity, count: total };
  const lower = at > 0 ? (buckets[at - 1]?.border ?? 0) : 0;
  if (border === Infinity) return lower;
  const below = at > 0 ? (buckets[at - 1]?.count ?? 0) : 0;
  return lower + ((border - lower) * (rank - below)) / (count - below);
}
