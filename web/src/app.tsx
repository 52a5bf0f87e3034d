// The whole page: the top line, one of two views, and what lies over them.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

import { ChatPage } from './chat/chat_page.tsx';
import { Dashboard } from './dashboard/dashboard.tsx';
import { giveKey, session } from './session.ts';
import { Dialog, IconButton } from './ui/controls.tsx';
import { Header } from './ui/header.tsx';
import { hush, notice } from './ui/notice.ts';
import { route } from './ui/route.ts';
import { helpShown, kShortcuts } from './ui/shortcuts.ts';
import { useStore } from './ui/store.ts';

export function App(): JSX.Element {
  const { keyWanted } = useStore(session);
  const help = useStore(helpShown);
  return (
    <>
      <Header />
      {useStore(route) === 'chat' ? <ChatPage /> : <Dashboard />}
      {keyWanted !== null && <KeyDialog reason={keyWanted} />}
      {help && <HelpDialog />}
      <NoticeLine />
    </>
  );
}

function KeyDialog({ reason }: { reason: string }): JSX.Element {
  const [key, setKey] = useState('');
  return (
    <Dialog title="This server asks for a key">
      <form
        class="key-form"
        onSubmit={(event) => {
          event.preventDefault();
          giveKey(key.trim());
        }}
      >
        <p class="muted">It said: {reason}</p>
        <label>
          API key
          <input
            type="password"
            autocomplete="off"
            autofocus
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
          <small>Kept until this tab is closed, and sent to this server only.</small>
        </label>
        <div class="row">
          <button type="submit" class="primary" disabled={key.trim() === ''}>
            Use key
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function HelpDialog(): JSX.Element {
  const { version } = useStore(session);
  return (
    <Dialog title="Keyboard" onClose={() => helpShown.set(false)}>
      <dl class="shortcuts">
        {kShortcuts.map(({ keys, what }) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      {version !== '' && <p class="muted">Strata {version}</p>}
    </Dialog>
  );
}

function NoticeLine(): JSX.Element {
  const shown = useStore(notice);
  const act = (): void => {
    shown?.action?.act();
    hush();
  };
  return (
    <div class="notice-place" role="status">
      {shown !== null && (
        <div class="notice">
          <span>{shown.text}</span>
          {shown.action && (
            <button type="button" class="quiet" onClick={act}>
              {shown.action.label}
            </button>
          )}
          <IconButton icon="close" label="Dismiss" onClick={hush} />
        </div>
      )}
    </div>
  );
}
