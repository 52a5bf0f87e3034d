// Small controls that several views use.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { Icon } from './icons.tsx';

const kCopiedMs = 1500;

interface IconButtonProps {
  icon: Parameters<typeof Icon>[0]['name'];
  label: string;
  onClick: () => void;
  pressed?: boolean;
  disabled?: boolean;
}

export function IconButton({ icon, label, onClick, pressed, disabled }: IconButtonProps): JSX.Element {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      disabled={disabled ?? false}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

export function CopyButton({ text, label }: { text: string; label: string }): JSX.Element {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await copyText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), kCopiedMs);
  };
  return (
    <IconButton
      icon={copied ? 'check' : 'copy'}
      label={copied ? 'Copied' : label}
      onClick={() => void copy()}
    />
  );
}

/** Also where the page came over plain HTTP from another machine, which has no clipboard. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

interface DialogProps {
  title: string;
  onClose?: () => void; // none: it stays until it is answered
  children: ComponentChildren;
}

/** A modal dialog for as long as it is drawn; the browser keeps the focus inside and gives it back. */
export function Dialog({ title, onClose, children }: DialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
    return () => dialog.current?.close();
  }, []);
  const cancel = (event: Event): void => {
    event.preventDefault();
    onClose?.();
  };
  // A second Esc closes a dialog whatever the page says: one that must be answered comes back.
  const closed = (): void => {
    if (onClose === undefined) dialog.current?.showModal();
    else onClose();
  };
  return (
    <dialog ref={dialog} aria-label={title} onCancel={cancel} onClose={closed}>
      <header class="dialog-head">
        <h2>{title}</h2>
        {onClose && <IconButton icon="close" label="Close" onClick={onClose} />}
      </header>
      {children}
    </dialog>
  );
}
