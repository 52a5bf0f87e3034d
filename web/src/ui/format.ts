// Numbers for readers: three figures are enough, and units are what people say.

const kBytes = ['B', 'kB', 'MB', 'GB', 'TB'];

/** 1234.5 -> "1,235", 12.34 -> "12.3", 0.1234 -> "0.12"; a dash for what is not known. */
export function formatNumber(value: number | null): string {
  if (value === null) return '–';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: Number.isInteger(value) ? 0 : digits });
}

/** Decimal units, as the program itself prints. */
export function formatBytes(value: number | null): string {
  if (value === null) return '–';
  let unit = 0;
  let shown = value;
  while (shown >= 1000 && unit < kBytes.length - 1) {
    shown /= 1000;
    unit++;
  }
  return `${formatNumber(shown)} ${kBytes[unit]}`;
}

export function formatMs(value: number | null): string {
  if (value === null) return '–';
  return value >= 1000 ? `${formatNumber(value / 1000)} s` : `${formatNumber(value)} ms`;
}

export function formatShare(value: number | null): string {
  return value === null ? '–' : `${formatNumber(Math.round(value * 1000) / 10)} %`;
}

/** The last part of a path; names without slashes as they are. */
export function shortModel(id: string): string {
  return id.replace(/\/+$/, '').split('/').at(-1) ?? id;
}
