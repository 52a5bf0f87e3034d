// Prometheus' text format, as far as GET /metrics writes it: names, labels, values. What the names
// mean is snapshot.ts's.

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const kSample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const kLabel = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const kEscapes: Record<string, string> = { '\\n': '\n', '\\"': '"', '\\\\': '\\' };

export function parseExposition(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    const match = line.startsWith('#') ? null : kSample.exec(line);
    if (match === null) continue;
    samples.push({
      name: match[1] ?? '',
      labels: labelsOf(match[2] ?? ''),
      value: valueOf(match[3] ?? ''),
    });
  }
  return samples;
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(kLabel)) {
    labels[name] = value.replace(/\\[n"\\]/g, (escape) => kEscapes[escape] ?? escape);
  }
  return labels;
}

/** Also of a bucket's border: Prometheus writes +Inf where JavaScript writes Infinity. */
export function valueOf(text: string): number {
  if (text === '+Inf') return Infinity;
  return text === '-Inf' ? -Infinity : Number(text);
}
