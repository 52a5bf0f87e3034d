// What models write, and what somebody who wants to break the page writes.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseMarkdown } from './blocks.ts';
import { parseInline, safeAddress } from './inline.ts';
import type { Block, Inline } from './tree.ts';

/** A short spelling of a tree: easier to compare than nested objects. */
function spell(nodes: (Inline | Block)[]): string {
  return nodes.map(spellOne).join('');
}

function spellOne(node: Inline | Block): string {
  switch (node.kind) {
    case 'text':
      return node.text;
    case 'code':
      return `<code${'language' in node ? `:${node.language}` : ''}>${node.text}</>`;
    case 'break':
      return '<br>';
    case 'link':
      return `<a ${node.href}>${spell(node.children)}</>`;
    case 'rule':
      return '<hr>';
    case 'list':
      return `<list ${node.start}>${node.items.map((item) => `<li>${spell(item)}</>`).join('')}</>`;
    case 'table':
      return `<table>${[node.head, ...node.rows].map((row) => row.map(spell).join(',')).join(';')}</>`;
    default:
      return `<${node.kind}>${spell(node.children)}</>`;
  }
}

const inline = (text: string): string => spell(parseInline(text));
const blocks = (text: string): string => spell(parseMarkdown(text));

test('emphasis', () => {
  assert.equal(inline('a *b* **c** ~~d~~ _e_'), 'a <emphasis>b</> <strong>c</> <deleted>d</> <emphasis>e</>');
  assert.equal(inline('***both***'), '<emphasis><strong>both</></>');
  assert.equal(inline('**a *b* c**'), '<strong>a <emphasis>b</> c</>');
});

test('marks that are none', () => {
  assert.equal(inline('2 * 3 * 4 and snake_case_name'), '2 * 3 * 4 and snake_case_name');
  assert.equal(inline('**open and `code'), '**open and `code');
  assert.equal(inline('\\*kept\\* a\\b'), '*kept* a\\b');
});

test('code keeps what it holds', () => {
  assert.equal(inline('`**a**` and ``b ` c``'), '<code>**a**</> and <code>b ` c</>');
  assert.equal(inline('` x `'), '<code>x</>');
});

test('links open only what is safe to open', () => {
  assert.equal(inline('[a *b*](https://x.y/z "t")'), '<a https://x.y/z>a <emphasis>b</></>');
  assert.equal(inline('see https://x.y/a_b.'), 'see <a https://x.y/a_b>https://x.y/a_b</>.');
  assert.equal(inline('![alt](https://x.y/i.png)'), '<a https://x.y/i.png>alt</>');
  assert.equal(inline('[a](javascript:alert)'), '[a](javascript:alert)');
  for (const bad of ['javascript:x', ' JaVaScRiPt:x', 'java\nscript:x', 'data:text/html,x', '/v1', 'vbscript:x']) {
    assert.equal(safeAddress(bad), null, bad);
  }
});

test('HTML stays text', () => {
  const text = '<img src=x onerror=alert(1)><script>alert(1)</script>';
  assert.deepEqual(parseMarkdown(text), [{ kind: 'paragraph', children: [{ kind: 'text', text }] }]);
});

test('headings, rules, paragraphs and line breaks', () => {
  assert.equal(blocks('# A *b*\ntext\nmore\n\n---\nend'),
    '<heading>A <emphasis>b</></><paragraph>text<br>more</><hr><paragraph>end</>');
});

test('fences, also while they are open', () => {
  assert.equal(blocks('```cpp\nint a;\n\n# b\n```\nc'), '<code:cpp>int a;\n\n# b</><paragraph>c</>');
  assert.equal(blocks('a\n~~~\nb'), '<paragraph>a</><code:>b</>');
  assert.equal(blocks('````\n```\n````'), '<code:>```</>');
});

test('lists, nested and numbered', () => {
  assert.equal(blocks('- a\n- b\n  - c\n\n3. d\n4. e'),
    '<list null><li><paragraph>a</></><li><paragraph>b</><list null><li><paragraph>c</></></></></>' +
      '<list 3><li><paragraph>d</></><li><paragraph>e</></></>');
  assert.equal(blocks('1. a\n   ```\n   x\n   ```\n2. b'),
    '<list 1><li><paragraph>a</><code:>x</></><li><paragraph>b</></></>');
});

test('a rule ends a list', () => {
  assert.equal(blocks('- a\n- - -\n- b'),
    '<list null><li><paragraph>a</></></><hr><list null><li><paragraph>b</></></>');
});

test('quotes', () => {
  assert.equal(blocks('> a\nb\n> - c\n\nd'),
    '<quote><paragraph>a<br>b</><list null><li><paragraph>c</></></></><paragraph>d</>');
});

test('tables', () => {
  assert.equal(blocks('| a | b |\n|:--|--:|\n| *1* | 2 \\| 3 |\n| 4 |\n\nx'),
    '<table>a,b;<emphasis>1</>,2 | 3;4,</><paragraph>x</>');
  assert.equal(blocks('a | b\nc'), '<paragraph>a | b<br>c</>');
  assert.equal(blocks('a | b\n---'), '<paragraph>a | b</><hr>');
});

test('hostile input is read in one pass', () => {
  const size = 20000;
  for (const piece of ['*', '_a', '[', '[a](', '`a``', '> ', '- ', '**a ', '![', '~~a', '|', '# ', '1. ', 'h', '\\']) {
    const text = piece.repeat(size);
    assert.ok(JSON.stringify(parseMarkdown(text)).length > 0, piece);
  }
  const emphasised = inline('*a '.repeat(100) + 'b* '.repeat(100)).split('<emphasis>').length - 1;
  assert.equal(emphasised, 64, 'older marks are text');
  const deep = '> '.repeat(size) + 'x';
  assert.ok(spell(parseMarkdown(deep)).split('<quote>').length <= 9);
});
