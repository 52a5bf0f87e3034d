// How the page becomes one file, dist/index.html, with the licences of what is in it beside it.
import { defineConfig } from 'vite';

import { singleFile } from './single_file.ts';

export default defineConfig({
  plugins: [singleFile()],
  build: {
    target: ['chrome125', 'firefox125', 'safari17.5'],
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { '^/(v1|metrics|readyz|version)': 'http://127.0.0.1:8000' } },
});
