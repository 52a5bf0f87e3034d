// The list of conversations: choose, rename in place, export, delete.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { IconButton } from '../ui/controls.tsx';
import { Icon } from '../ui/icons.tsx';
import { useStore } from '../ui/store.ts';
import { begin, chat, discard, rename, select } from './chat_model.ts';
import { type Conversation, exportOf } from './conversation.ts';

export function Sidebar({ open, onChosen }: { open: boolean; onChosen: () => void }): JSX.Element {
  const { conversations, current, answering } = useStore(chat);
  const choose = (id: string): void => {
    select(id);
    onChosen();
  };
  const fresh = (): void => {
    begin();
    onChosen();
  };
  return (
    <nav class="sidebar" aria-label="Conversations" data-open={open}>
      <button type="button" class="new-chat" onClick={fresh}>
        <Icon name="plus" />
        New conversation
      </button>
      <ul>
        {conversations.map((one) => (
          <Entry
            key={one.id}
            conversation={one}
            current={one.id === current}
            busy={one.id === answering}
            onChoose={() => choose(one.id)}
          />
        ))}
      </ul>
      <p class="sidebar-foot">Kept in this browser only.</p>
    </nav>
  );
}

interface EntryProps {
  conversation: Conversation;
  current: boolean;
  busy: boolean;
  onChoose: () => void;
}

function Entry({ conversation, current, busy, onChoose }: EntryProps): JSX.Element {
  const [renaming, setRenaming] = useState(false);
  const { id, title } = conversation;
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === 'F2') setRenaming(true);
    else if (event.key === 'Delete') discard(id);
  };
  if (renaming) {
    return (
      <li class="entry" data-current={current}>
        <TitleField id={id} title={title} onDone={() => setRenaming(false)} />
      </li>
    );
  }
  return (
    <li class="entry" data-current={current}>
      <button
        type="button"
        class="entry-title"
        aria-current={current ? 'true' : undefined}
        onClick={onChoose}
        onDblClick={() => setRenaming(true)}
        onKeyDown={onKey}
      >
        {busy && <span class="busy-dot" role="img" aria-label="answering" />}
        <span>{title}</span>
      </button>
      <span class="entry-tools">
        <IconButton icon="edit" label={`Rename “${title}”`} onClick={() => setRenaming(true)} />
        <IconButton icon="export" label={`Export “${title}”`} onClick={() => download(conversation)} />
        <IconButton icon="trash" label={`Delete “${title}”`} onClick={() => discard(id)} />
      </span>
    </li>
  );
}

function TitleField(props: { id: string; title: string; onDone: () => void }): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.select(), []);
  const done = (keep: boolean): void => {
    if (keep) rename(props.id, field.current?.value ?? '');
    props.onDone();
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' || event.key === 'Escape') done(event.key === 'Enter');
  };
  return (
    <input
      ref={field}
      aria-label="Name of the conversation"
      defaultValue={props.title}
      onKeyDown={onKey}
      onBlur={() => done(true)}
    />
  );
}

function download(conversation: Conversation): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([exportOf(conversation)], { type: 'application/json' }));
  link.download = `${conversation.title.replace(/[^\p{L}\p{N}]+/gu, '-')}.json`;
  link.click();
  URL.revokeObjectURL(link.href);
}
