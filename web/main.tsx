import { render } from 'preact';
import { App } from './app.tsx';
import './style.css';
import 'uplot/dist/uPlot.min.css';

const place = document.getElementById('app');
if (place !== null) render(<App />, place);
