// Where the page starts: styles, keys, the first question to the server, the first picture.
import 'uplot/dist/uPlot.min.css';
import './style/base.css';
import './style/chat.css';
import './style/text.css';
import './style/dashboard.css';

import { render } from 'preact';

import { App } from './app.tsx';
import { connect } from './session.ts';
import { listenForShortcuts } from './ui/shortcuts.ts';

listenForShortcuts();
void connect();
render(<App />, document.body);
