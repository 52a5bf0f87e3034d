// What the server does right now, from its own metrics: figures on top, the last minutes below.
import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';

import { type Percentiles, type Points, type Series, seriesOf } from '../metrics/history.ts';
import type { Snapshot } from '../metrics/snapshot.ts';
import { formatMs, formatNumber, formatShare } from '../ui/format.ts';
import { useStore } from '../ui/store.ts';
import { Chart, type Line } from './chart.tsx';
import { Memory } from './memory.tsx';
import { scraped, startScraping } from './scraper.ts';

const kBlockLabels: Record<string, string> = {
  exclusive: 'one sequence',
  shared: 'several',
  cached: 'cached',
};
const kOld = 2; // seconds: older numbers of the engine are said to be old

export function Dashboard(): JSX.Element {
  useEffect(startScraping, []);
  const { history, failure } = useStore(scraped);
  const series = useMemo(() => seriesOf(history), [history]);
  const now = history.at(-1);
  return (
    <main class="dashboard">
      <h1 class="unseen">Dashboard</h1>
      {failure !== null && (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
      {now !== undefined && now.statsAge > kOld && (
        <p class="failure">The engine's numbers are {formatNumber(now.statsAge)} s old: no step has ended since.</p>
      )}
      <Figures now={now} series={series} />
      <div class="grid">
        <Charts series={series} now={now} />
        <Memory now={now} />
      </div>
    </main>
  );
}

function Figures({ now, series }: { now: Snapshot | undefined; series: Series }): JSX.Element {
  const last = (points: Points): number | null => points.at(-1) ?? null;
  const allHits = now && now.cacheQueries > 0 ? now.cacheHits / now.cacheQueries : null;
  return (
    <dl class="figures-row">
      <Figure
        name="Output"
        value={formatNumber(last(series.answerRate))}
        unit="tokens/s"
        note={`prompts ${formatNumber(last(series.promptRate))} tokens/s`}
      />
      <Figure
        name="Running"
        value={formatNumber(now?.running ?? null)}
        note={`${formatNumber(now?.waiting ?? null)} waiting`}
      />
      <Figure
        name="First token"
        value={formatMs(last(series.firstToken.p50))}
        note={`p99 ${formatMs(last(series.firstToken.p99))}`}
      />
      <Figure
        name="Between tokens"
        value={formatMs(last(series.betweenTokens.p50))}
        note={`p99 ${formatMs(last(series.betweenTokens.p99))}`}
      />
      <Figure
        name="Prefix hits"
        value={formatShare(last(series.hitRate))}
        note={`${formatShare(allHits)} since the start`}
      />
      <Figure
        name="KV held"
        value={formatShare(now?.usage ?? null)}
        note={`${formatShare(now?.waste ?? null)} of it wasted`}
      />
    </dl>
  );
}

function Figure(props: { name: string; value: string; unit?: string; note: string }): JSX.Element {
  return (
    <div class="card figure">
      <dt>{props.name}</dt>
      <dd>
        <b>{props.value}</b> {props.unit && <span>{props.unit}</span>}
        <small>{props.note}</small>
      </dd>
    </div>
  );
}

function Charts({ series, now }: { series: Series; now: Snapshot | undefined }): JSX.Element {
  const free = now?.blocks.find((block) => block.name === 'free')?.value ?? null;
  const blocks: Line[] = series.blocks
    .filter((block) => block.name !== 'free')
    .map((block, i) => ({
      label: kBlockLabels[block.name] ?? block.name,
      points: block.points,
      colour: i + 1,
    }));
  const common = { times: series.times };
  return (
    <>
      <Chart
        {...common}
        title="Throughput"
        hint="Tokens a second"
        format={formatNumber}
        lines={[
          { label: 'output', points: series.answerRate, colour: 1 },
          { label: 'prompts', points: series.promptRate, colour: 2 },
        ]}
      />
      <Chart
        {...common}
        title="Sequences"
        hint="Sequences that run, and that wait for a place, blocks or rows"
        format={formatNumber}
        lines={[
          { label: 'running', points: series.running, colour: 1 },
          { label: 'waiting', points: series.waiting, colour: 2 },
        ]}
      />
      <Chart
        {...common}
        stacked
        title={`KV blocks in use, ${formatNumber(free)} free`}
        hint="Held by one sequence, by several, or by the prefix cache alone"
        format={formatNumber}
        lines={blocks}
      />
      <Chart
        {...common}
        title="Time to first token"
        hint="Over 15 seconds, from the histogram's buckets"
        format={formatMs}
        lines={percentileLines(series.firstToken)}
      />
      <Chart
        {...common}
        title="Between tokens"
        hint="Over 15 seconds, from the histogram's buckets"
        format={formatMs}
        lines={percentileLines(series.betweenTokens)}
      />
    </>
  );
}

function percentileLines({ p50, p90, p99 }: Percentiles): Line[] {
  return [
    { label: 'p50', points: p50, colour: 1 },
    { label: 'p90', points: p90, colour: 2 },
    { label: 'p99', points: p99, colour: 3 },
  ];
}
