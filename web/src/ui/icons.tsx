// The page's few pictures, drawn in lines of the text's colour. Decoration: what a button does is in
// its label.
import type { JSX } from 'preact';

const kPaths = {
  plus: 'M12 5v14M5 12h14',
  send: 'M12 19V5M5 12l7-7 7 7',
  stop: 'M7 7h10v10H7z',
  copy: 'M9 9h10v10H9zM5 15V5h10',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  again: 'M4 12a8 8 0 1 0 2.5-5.8M4 4v4.5h4.5',
  edit: 'M4 20h4L19 9l-4-4L4 16zM13.5 6.5l4 4',
  trash: 'M5 7h14M10 7V4.5h4V7M7 7l1 12.5h8L17 7',
  export: 'M12 4v11M7.5 10.5L12 15l4.5-4.5M5 19.5h14',
  tune: 'M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4M4 12h13',
  menu: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6L6 18',
  sun:
    'M12 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2' +
    'M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4',
  moon: 'M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z',
  keys: 'M3 6.5h18v11H3zM6.5 10h1M10 10h1M13.5 10h1M17 10h.5M8 14h8',
  chevron: 'M9 6l6 6-6 6',
} as const;

export function Icon({ name }: { name: keyof typeof kPaths }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={kPaths[name]} />
    </svg>
  );
}

/** Layers of stone, of which one is lit. */
export function Logo(): JSX.Element {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
      <path class="logo-top" d="M3 11.5L16 5l13 6.5L16 18z" />
      <path class="logo-middle" d="M3 16.5L16 23l13-6.5" />
      <path class="logo-low" d="M3 21.5L16 28l13-6.5" />
    </svg>
  );
}
