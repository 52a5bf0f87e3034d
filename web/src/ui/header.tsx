// The page's top line: which view, which server, light or dark.
import type { JSX } from 'preact';

import { type Session, session } from '../session.ts';
import { IconButton } from './controls.tsx';
import { shortModel } from './format.ts';
import { Logo } from './icons.tsx';
import { route } from './route.ts';
import { helpShown } from './shortcuts.ts';
import { useStore } from './store.ts';
import { theme, toggleTheme } from './theme.ts';

export function Header(): JSX.Element {
  const shown = useStore(route);
  const colours = useStore(theme);
  return (
    <header class="top">
      <span class="brand">
        <Logo />
        <span>Strata</span>
      </span>
      <nav class="tabs" aria-label="Views">
        <a href="#chat" aria-current={shown === 'chat' ? 'page' : undefined}>
          Chat
        </a>
        <a href="#dashboard" aria-current={shown === 'dashboard' ? 'page' : undefined}>
          Dashboard
        </a>
      </nav>
      <Status />
      <IconButton icon="keys" label="Keyboard shortcuts" onClick={() => helpShown.set(true)} />
      <IconButton
        icon={colours === 'dark' ? 'sun' : 'moon'}
        label={colours === 'dark' ? 'Light colours' : 'Dark colours'}
        onClick={toggleTheme}
      />
    </header>
  );
}

function Status(): JSX.Element {
  const now = useStore(session);
  return (
    <span class="status" role="status" data-status={now.status} title={now.models[0]?.id}>
      <span class="dot" aria-hidden="true" />
      <span>{statusText(now)}</span>
    </span>
  );
}

function statusText({ status, progress, models }: Session): string {
  const name = models[0] === undefined ? 'ready' : shortModel(models[0].id);
  const loading = progress === null ? 'loading' : `loading ${Math.round(progress * 100)} %`;
  const texts: Record<string, string> = {
    ready: name,
    loading,
    connecting: 'connecting',
    draining: 'the server is ending',
    stalled: 'the engine hangs',
    unreachable: 'no server',
    locked: 'needs a key',
  };
  return texts[status] ?? status;
}
