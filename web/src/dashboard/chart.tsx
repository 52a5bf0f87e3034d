// Lines over time, drawn by uPlot on a canvas; title, legend and the numbers under the pointer are
// elements, so that they can be read without the picture.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';

import type { Points } from '../metrics/history.ts';
import { useStore } from '../ui/store.ts';
import { theme } from '../ui/theme.ts';

const kHeight = 168; // pixels
const kLeastSpan = 60; // seconds that the time axis shows at least
const kFont = '11px system-ui, sans-serif';

export interface Line {
  label: string;
  points: Points;
  colour: number; // of the palette, from 1
}

interface ChartProps {
  title: string;
  hint: string;
  times: number[];
  lines: Line[];
  stacked?: boolean; // areas on top of one another, the first at the foot
  format: (value: number | null) => string;
}

export function Chart(props: ChartProps): JSX.Element {
  const { title, hint, times, lines, stacked = false, format } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [pointed, setPointed] = useState<number | null>(null);
  const colours = useStore(theme);
  const shape = lines.map((line) => line.label).join();
  const data = stacked ? stack(lines) : lines.map((line) => line.points);
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const made = new uPlot(
      optionsOf({ element, lines, stacked, format, onPoint: setPointed }),
      [times, ...data] as uPlot.AlignedData,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: kHeight }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [colours, shape]);
  useEffect(() => plot.current?.setData([times, ...data] as uPlot.AlignedData), [times]);
  const at = pointed ?? times.length - 1;
  return (
    <section class="card chart">
      <h2 title={hint}>{title}</h2>
      <ul class="legend">
        {lines.map((line) => (
          <li key={line.label} data-colour={line.colour}>
            <span>{line.label}</span> <b>{format(line.points[at] ?? null)}</b>
          </li>
        ))}
      </ul>
      <div class="plot" ref={place} role="img" aria-label={`${title} over the last minutes`} />
    </section>
  );
}

/** Each line on top of those before it. */
function stack(lines: Line[]): Points[] {
  let below: Points = [];
  return lines.map((line) => {
    below = line.points.map((value, i) => (value === null ? null : value + (below[i] ?? 0)));
    return below;
  });
}

interface OptionsNeed {
  element: HTMLElement;
  lines: Line[];
  stacked: boolean;
  format: (value: number | null) => string;
  onPoint: (index: number | null) => void;
}

function optionsOf({ element, lines, stacked, format, onPoint }: OptionsNeed): uPlot.Options {
  const palette = lines.map((line) => colourOf(element, `--series-${line.colour}`));
  const text = colourOf(element, '--muted');
  const grid = { stroke: colourOf(element, '--line'), width: 1 };
  const axis = { stroke: text, grid, ticks: { show: false }, font: kFont };
  return {
    width: element.clientWidth,
    height: kHeight,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: 'strata' }, y: false, drag: { setScale: false }, points: { size: 6 } },
    scales: {
      x: { range: (_, least, most) => [Math.min(least ?? 0, (most ?? 0) - kLeastSpan), most ?? 1] },
      y: { range: (_, __, most) => [0, most ? most * 1.12 : 1] },
    },
    axes: [
      { ...axis, space: 90, size: 26, values: (_, times) => times.map(clock) },
      { ...axis, size: 52, space: 36, values: (_, values) => values.map(format) },
    ],
    series: [
      {},
      ...palette.map((colour, i) => ({
        stroke: colour,
        width: stacked ? 1 : 1.75,
        points: { show: false },
        ...(stacked || i === 0 ? { fill: `${colour}${stacked ? 'cc' : '1f'}` } : {}),
      })),
    ],
    ...(stacked ? { bands: palette.slice(1).map((_, i) => ({ series: [i + 2, i + 1] as [number, number] })) } : {}),
    hooks: { setCursor: [(made) => onPoint(made.cursor.idx ?? null)] },
  };
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB');
}

/** A canvas knows no variables of a style sheet: the colour as #rrggbb, whatever it is written as. */
function colourOf(element: HTMLElement, name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  element.append(probe);
  const parts = getComputedStyle(probe).color.match(/\d+/g) ?? [];
  probe.remove();
  return `#${parts.slice(0, 3).map((part) => Number(part).toString(16).padStart(2, '0')).join('')}`;
}
