// Markdown's tree as elements. Everything becomes text nodes and attributes of known elements, so
// nothing that a model writes can become markup.
import type { CSSProperties, JSX } from 'preact';
import { useMemo } from 'preact/hooks';

import { CopyButton } from '../ui/controls.tsx';
import { parseMarkdown } from './blocks.ts';
import type { Block, Inline } from './tree.ts';

export function Markdown({ text }: { text: string }): JSX.Element {
  // The same elements for the same text: answers above the one that grows are not compared again.
  return useMemo(() => <div class="markdown">{parseMarkdown(text).map(drawBlock)}</div>, [text]);
}

function drawBlock(block: Block, key: number): JSX.Element {
  switch (block.kind) {
    case 'paragraph':
      return <p key={key}>{block.children.map(drawInline)}</p>;
    case 'heading':
      // The page's own headings are above: an answer's begin at the third level.
      return (
        <div key={key} role="heading" aria-level={Math.min(6, block.level + 2)} class={`h${block.level}`}>
          {block.children.map(drawInline)}
        </div>
      );
    case 'code':
      return <CodeBlock key={key} language={block.language} text={block.text} />;
    case 'quote':
      return <blockquote key={key}>{block.children.map(drawBlock)}</blockquote>;
    case 'list':
      return <List key={key} start={block.start} items={block.items} />;
    case 'table':
      return <Table key={key} table={block} />;
    case 'rule':
      return <hr key={key} />;
  }
}

function drawInline(node: Inline, key: number): JSX.Element | string {
  switch (node.kind) {
    case 'text':
      return node.text;
    case 'code':
      return <code key={key}>{node.text}</code>;
    case 'break':
      return <br key={key} />;
    case 'strong':
      return <strong key={key}>{node.children.map(drawInline)}</strong>;
    case 'emphasis':
      return <em key={key}>{node.children.map(drawInline)}</em>;
    case 'deleted':
      return <del key={key}>{node.children.map(drawInline)}</del>;
    case 'link':
      return (
        <a key={key} href={node.href} target="_blank" rel="noopener noreferrer nofollow">
          {node.children.map(drawInline)}
        </a>
      );
  }
}

function CodeBlock({ language, text }: { language: string; text: string }): JSX.Element {
  return (
    <figure class="code">
      <figcaption>
        <span>{language || 'text'}</span>
        <CopyButton text={text} label="Copy code" />
      </figcaption>
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
    </figure>
  );
}

/** A list whose items are single paragraphs is drawn without the paragraphs' space. */
function List({ start, items }: { start: number | null; items: Block[][] }): JSX.Element {
  const inside = items.map((item, key) => (
    <li key={key}>
      {item.map((block, i) =>
        block.kind === 'paragraph' && i === 0 ? (
          <span key={i}>{block.children.map(drawInline)}</span>
        ) : (
          drawBlock(block, i)
        ),
      )}
    </li>
  ));
  return start === null ? <ul>{inside}</ul> : <ol start={start}>{inside}</ol>;
}

function Table({ table }: { table: Extract<Block, { kind: 'table' }> }): JSX.Element {
  const align = (i: number): CSSProperties => ({ textAlign: table.align[i] ?? 'left' });
  return (
    <div class="table" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {table.head.map((cell, i) => (
              <th key={i} style={align(i)}>
                {cell.map(drawInline)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, key) => (
            <tr key={key}>
              {row.map((cell, i) => (
                <td key={i} style={align(i)}>
                  {cell.map(drawInline)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
