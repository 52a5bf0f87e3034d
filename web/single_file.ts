// Puts the built script and styles into the page itself, and collects the licences of the packages
// that the script holds. One request is then all that a browser makes, and the server can name the
// script by its hash.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

const kPackage = /^(.*\/node_modules\/((?:@[^/]+\/)?[^/]+))\//;
const kScript = /<script type="module"[^>]* src="[^"]*"><\/script>/;
const kStyles = /<link rel="stylesheet"[^>]*>/;

type Bundle = Parameters<Extract<Plugin['generateBundle'], Function>>[1];

export function singleFile(): Plugin {
  return {
    name: 'single-file',
    enforce: 'post',
    generateBundle(_, bundle) {
      const page = bundle['index.html'];
      if (page?.type !== 'asset') throw new Error('the build has no index.html');
      const script = only(bundle, '.js').replaceAll('</script', '<\\/script').trim();
      const styles = only(bundle, '.css').trim();
      // Functions, as replacements would read a dollar sign in them.
      page.source = String(page.source)
        .replace(/^\s*\n/gm, '')
        .replace(kStyles, () => `<style>${styles}</style>`)
        .replace(kScript, '')
        .replace('</body>', () => `<script type="module">${script}</script>\n  </body>`);
      this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source: licences(packagesOf(bundle)) });
      for (const name of Object.keys(bundle)) {
        if (name !== 'index.html') delete bundle[name];
      }
    },
  };
}

/** The text of the one output of this kind: a second one would be a request. */
function only(bundle: Bundle, suffix: string): string {
  const found = Object.values(bundle).filter((output) => output.fileName.endsWith(suffix));
  const [output] = found;
  if (output === undefined || found.length !== 1) throw new Error(`${found.length} ${suffix} files`);
  return output.type === 'chunk' ? output.code : String(output.source);
}

/** Folders of the packages whose modules are in the script, or whose styles it imports. */
function packagesOf(bundle: Bundle): string[] {
  const folders = new Set<string>();
  for (const output of Object.values(bundle)) {
    const modules = output.type === 'chunk' ? output.moduleIds : [];
    for (const id of modules) {
      const folder = kPackage.exec(id)?.[1];
      if (folder !== undefined) folders.add(folder);
    }
  }
  return [...folders].sort();
}

function licences(folders: string[]): string {
  const parts = folders.map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${name} has no licence file`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  });
  return `What web/dist/index.html holds of others, collected by web/single_file.ts.\n\n${parts.join('\n\n')}`;
}
