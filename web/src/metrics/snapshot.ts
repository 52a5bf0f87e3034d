// One scrape of GET /metrics as the dashboard reads it. The only place with names of metrics;
// docs/metrics.md says what each one means.
import { parseExposition, type Sample, valueOf } from './exposition.ts';
import type { Bucket } from './histogram.ts';

export interface Snapshot {
  time: number; // when it came, seconds
  running: number;
  waiting: number;
  promptTokens: number; // this and the next three: totals since the server started
  answerTokens: number;
  cacheQueries: number;
  cacheHits: number;
  usage: number; // share of the KV blocks that sequences hold
  waste: number;
  blocks: Named[]; // by state
  memory: Named[]; // by tag, bytes
  ceiling: number; // 0: unknown
  resident: number;
  statsAge: number;
  firstToken: Bucket[]; // seconds
  betweenTokens: Bucket[];
}

export interface Named {
  name: string;
  value: number;
}

export function readSnapshot(text: string, time: number): Snapshot {
  const all = Map.groupBy(parseExposition(text), (sample) => sample.name);
  const one = (name: string): number => sum(all.get(name));
  return {
    time,
    running: one('vllm:num_requests_running'),
    waiting: one('vllm:num_requests_waiting'),
    promptTokens: one('vllm:prompt_tokens_total'),
    answerTokens: one('vllm:generation_tokens_total'),
    cacheQueries: one('vllm:prefix_cache_queries_total'),
    cacheHits: one('vllm:prefix_cache_hits_total'),
    usage: one('vllm:kv_cache_usage_perc'),
    waste: one('strata:kv_waste_share'),
    blocks: named(all.get('strata:kv_blocks'), 'state'),
    memory: named(all.get('strata:memory_bytes'), 'tag'),
    ceiling: one('strata:memory_ceiling_bytes'),
    resident: one('strata:resident_bytes'),
    statsAge: one('strata:stats_age_seconds'),
    firstToken: buckets(all.get('vllm:time_to_first_token_seconds_bucket')),
    betweenTokens: buckets(all.get('vllm:inter_token_latency_seconds_bucket')),
  };
}

function sum(samples: Sample[] = []): number {
  return samples.reduce((total, sample) => total + sample.value, 0);
}

/** Sums over all other labels (block groups, say), in the order of the exposition. */
function named(samples: Sample[] = [], label: string): Named[] {
  const groups = Map.groupBy(samples, (sample) => sample.labels[label] ?? '');
  return [...groups].map(([name, group]) => ({ name, value: sum(group) }));
}

function buckets(samples: Sample[] = []): Bucket[] {
  return samples.map(({ labels, value }) => ({ border: valueOf(labels['le'] ?? ''), count: value }));
}
