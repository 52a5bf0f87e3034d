// What the process holds, by what it is for, as a bar against its ceiling.
import type { JSX } from 'preact';

import type { Snapshot } from '../metrics/snapshot.ts';
import { formatBytes } from '../ui/format.ts';

const kLabels: Record<string, string> = { KV: 'KV cache', ring: 'ring of layers' };

export function Memory({ now }: { now: Snapshot | undefined }): JSX.Element {
  const memory = (now?.memory ?? []).map((tag, i) => ({ ...tag, colour: (i % 6) + 1 }));
  const held = memory.filter((tag) => tag.value > 0);
  const total = held.reduce((sum, tag) => sum + tag.value, 0);
  const ceiling = now?.ceiling ?? 0;
  const whole = Math.max(ceiling, total, now?.resident ?? 0, 1);
  const share = (bytes: number): string => `${(100 * bytes) / whole}%`;
  const said = ceiling > 0 ? `${formatBytes(total)} of ${formatBytes(ceiling)}` : formatBytes(total);
  return (
    <section class="card memory">
      <h2 title="By what it is for; the line is what the system says is resident">Memory</h2>
      <p class="memory-total">
        <b>{said}</b> reserved, {formatBytes(now?.resident ?? null)} resident
      </p>
      <div class="bar" role="img" aria-label={`${said} reserved`}>
        {held.map((tag) => (
          <span key={tag.name} data-colour={tag.colour} style={{ width: share(tag.value) }} />
        ))}
        <i style={{ left: share(now?.resident ?? 0) }} />
      </div>
      <ul class="legend rows">
        {memory.map((tag) => (
          <li key={tag.name} data-colour={tag.colour}>
            <span>{kLabels[tag.name] ?? tag.name}</span> <b>{formatBytes(tag.value)}</b>
          </li>
        ))}
      </ul>
    </section>
  );
}
