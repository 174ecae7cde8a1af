'use strict';
// The charts of the ops room.

const CHARTS = [
  { title: 'Requests by outcome', stack: true, form: 'rate', byRoute: true,
    series: OUTCOMES.map((o, i) => ({ name: o, of: (s, v) => v.outcomes[i] / s.seconds })) },
  { title: 'Hit ratio', form: 'percent', byRoute: true, top: 1,
    series: [{ name: 'hit ratio', is: 'hit', soft: true, of: (s, v) => hitRatio(Object.fromEntries(OUTCOMES.map((o, i) => [o, v.outcomes[i]]))) }] },
  { title: 'Request latency', form: 'ms', byRoute: true, log: true,
    series: ['p50', 'p95', 'p99'].map((p) => ({ name: p, of: (s, v) => v[p + '_ms'] || null })) },
  { title: 'Fill time', form: 'ms', byRoute: true,
    series: [{ name: 'mean of the fills', is: 'miss', of: (s, v) => (v.fills ? v.fill_ms : null), note: (s, v) => counted(v.fills, 'fill') }] },
  { title: 'Waiting requests', form: 'count',
    series: [{ name: 'most at a time', is: 'error', soft: true, of: (s) => s.waiting }] },
  { title: 'Answers by status', stack: true, form: 'rate',
    series: ['1xx', '2xx', '3xx', '4xx', '5xx'].map((name, i) => ({ name, is: 's' + name[0], of: (s) => s.answers_by_class[i] / s.seconds })) },
  { title: 'Pool', form: 'count', limit: () => stats.pool.limit,
    series: [{ name: 'most in use', is: 'main', soft: true, of: (s) => s.pool_in_use }] },
  { title: 'Memory', form: 'bytes', limit: () => stats.memory.budget,
    series: [{ name: 'used', is: 'coalesced', of: (s) => s.memory_used }] },
  { title: 'Cache', form: 'bytes', limit: () => stats.cache.budget,
    series: [{ name: 'entries', is: 'hit', soft: true, of: (s) => s.cache_bytes }] },
  { title: 'Stale entries', form: 'count',
    series: [{ name: 'stale', is: 'stale', soft: true, of: (s) => s.stale_entries }] },
];
const HEIGHT = 150, LEFT = 52, RIGHT = 6, TOP = 8, BOTTOM = 20;
const NOTHING = { outcomes: OUTCOMES.map(() => 0), fills: 0, fill_ms: 0, p50_ms: 0, p95_ms: 0, p99_ms: 0 };

function svg(tag, attributes, text) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  if (text !== undefined) e.textContent = text;
  return e;
}

const view = (chart, s) => {
  const route = byId('route').value;
  return chart.byRoute && route ? (s.routes || []).find((f) => f.route === route) || NOTHING : s.all;
};

// steps returns round values from 0 to at least top.
function steps(top, bytes) {
  const base = bytes ? 2 ** (10 * Math.floor(Math.log2(Math.max(top, 1)) / 10)) : 1;
  const rough = top / base / 3, scale = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((x) => x * scale >= rough - 1e-12) * scale * base;
  return Array.from({ length: Math.ceil(top / step - 1e-9) + 1 }, (_, i) => i * step);
}

// scaleOf returns where values go on the chart's height, and its marks.
function scaleOf(chart, columns, limit) {
  const inner = HEIGHT - TOP - BOTTOM;
  const values = columns.flat().filter((v) => v !== null);
  if (chart.log) {
    const low = Math.floor(Math.log10(Math.min(...values, 0.1))), high = Math.max(Math.ceil(Math.log10(Math.max(...values, 1))), low + 1);
    const marks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
    return { marks: marks.length > 5 ? marks.filter((_, i) => i % 2 === 0) : marks, y: (v) => TOP + inner * (1 - (Math.log10(v) - low) / (high - low)) };
  }
  const tops = chart.stack ? columns.map((c) => sum(c)) : values;
  let top = chart.top || Math.max(...tops, limit * 1.04, 0) || 1;
  if (chart.form === 'count') top = Math.max(top, 3);
  const marks = chart.top ? [0, 0.5, 1] : steps(top, chart.form === 'bytes');
  const end = Math.max(marks.at(-1), top);
  return { marks, y: (v) => TOP + inner * (1 - v / end) };
}

// draw replaces the chart by a drawing of the samples.
function draw(chart) {
  const { figure, plot } = chart;
  if (!past.length) {
    plot.replaceChildren(make('p', { className: 'empty' }, 'The first figures come ten seconds after the start.'));
    return;
  }
  const width = Math.max(200, plot.clientWidth), now = past.at(-1).at;
  const from = Math.min(past[0].at - past[0].seconds * 1000, now - 120000);
  const x = (t) => LEFT + (width - LEFT - RIGHT) * (t - from) / (now - from);
  const columns = past.map((s) => chart.series.map((one) => one.of(s, view(chart, s))));
  const limit = (chart.limit && stats && chart.limit() < 2 ** 60 && chart.limit()) || 0;
  const scale = scaleOf(chart, columns, limit);
  const root = svg('svg', { viewBox: `0 0 ${width} ${HEIGHT}`, tabindex: 0, role: 'img', 'aria-label': inWords(chart, columns.at(-1)) });
  axes(root, chart, scale, width, x, from, now);
  const box = { x, y: scale.y, columns };
  drawEvents(root, box, width, from, now);
  if (chart.stack) drawStack(root, chart, box); else chart.series.forEach((one, i) => drawLine(root, one, i, box));
  if (limit) {
    root.append(svg('line', { class: 'limit', x1: LEFT, x2: width - RIGHT, y1: scale.y(limit), y2: scale.y(limit) }));
  }
  const cursor = svg('line', { class: 'cursor', y1: TOP, y2: HEIGHT - BOTTOM, visibility: 'hidden' });
  root.append(cursor);
  const focused = plot.contains(document.activeElement);
  plot.replaceChildren(root);
  figure.querySelector('.limit-key').hidden = !limit;
  // The key names only the series that occur.
  if (chart.stack) chart.keys.forEach((key, i) => { key.hidden = !columns.some((c) => c[i] > 0); });
  chart.box = { ...box, root, cursor, width };
  if (focused) root.focus();
  if (chart.pointed !== undefined) point(chart, chart.pointed);
}

// drawEvents marks the events by lines behind the figures.
function drawEvents(root, { x }, width, from, now) {
  for (const e of stats ? stats.events : []) {
    const t = Date.parse(e.at);
    if (t < from || t > now) continue;
    const place = x(t).toFixed(1), bad = BAD_KINDS.includes(e.kind) ? ' bad' : '';
    root.append(svg('line', { class: 'event' + bad, x1: place, x2: place, y1: TOP - 4, y2: HEIGHT - BOTTOM }),
      svg('circle', { class: 'event-head' + bad, cx: place, cy: TOP - 4, r: 3 }));
  }
}

// eventsAt returns the events in the time of sample n, and since the sample before it.
function eventsAt(n) {
  const from = n ? past[n - 1].at : past[n].at - past[n].seconds * 1000;
  return (stats ? stats.events : []).filter((e) => Date.parse(e.at) > from && Date.parse(e.at) <= past[n].at);
}

function axes(root, chart, scale, width, x, from, now) {
  for (const m of scale.marks) {
    const y = Math.round(scale.y(m));
    root.append(svg('line', { class: 'grid', x1: LEFT, x2: width - RIGHT, y1: y, y2: y }),
      svg('text', { x: LEFT - 6, y: y + 4, 'text-anchor': 'end' }, as[chart.form](m)));
  }
  const minutes = [1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 360, 720].find((m) => (now - from) / 60000 / m <= width / 80) || 1440;
  const zone = new Date().getTimezoneOffset(); // marks of hours are hours of the local time
  for (let t = (Math.ceil((from / 60000 - zone) / minutes) * minutes + zone) * 60000; t <= now; t += minutes * 60000) {
    const place = Math.min(Math.max(x(t), LEFT + 14), width - RIGHT - 14);
    root.append(svg('text', { x: place, y: HEIGHT - 4, 'text-anchor': 'middle' }, new Date(t).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })));
  }
}

// drawStack draws one block for each sample and series, on those below it.
function drawStack(root, chart, { x, y, columns }) {
  const floor = past.map(() => 0);
  chart.series.forEach((one, i) => {
    let path = '';
    past.forEach((s, n) => {
      const value = columns[n][i];
      if (!value) return;
      const [left, right] = [x(s.at - s.seconds * 1000), x(s.at)].map((v) => v.toFixed(1));
      path += `M${left} ${y(floor[n]).toFixed(1)}V${y(floor[n] + value).toFixed(1)}H${right}V${y(floor[n]).toFixed(1)}Z`;
      floor[n] += value;
    });
    if (path) root.append(svg('path', { class: `area is-${one.is || one.name}`, d: path }));
  });
}

// drawLine connects neighbours; a value without a neighbour is a dot.
function drawLine(root, one, i, { x, y, columns }) {
  const runs = [[]];
  past.forEach((s, n) => {
    const gap = n > 0 && s.at - s.seconds * 1000 - past[n - 1].at > 15000; // the program did not run
    if (columns[n][i] === null || gap) runs.push([]);
    if (columns[n][i] !== null) runs.at(-1).push([x(s.at), y(columns[n][i])]);
  });
  for (const run of runs.filter((r) => r.length)) {
    const line = run.map(([px, py]) => `${px.toFixed(1)} ${py.toFixed(1)}`).join('L');
    const kind = `is-${one.is || one.name}`;
    if (run.length === 1) {
      root.append(svg('circle', { class: `dot ${kind}`, cx: run[0][0], cy: run[0][1], r: 2 }));
      continue;
    }
    if (one.soft) root.append(svg('path', { class: `soft ${kind}`, d: `M${line}L${run.at(-1)[0].toFixed(1)} ${HEIGHT - BOTTOM}L${run[0][0].toFixed(1)} ${HEIGHT - BOTTOM}Z` }));
    root.append(svg('path', { class: `line ${kind}`, d: `M${line}` }));
  }
}

const inWords = (chart, column) => `${chart.title}, latest: ` +
  (chart.series.map((one, i) => (column[i] ? `${one.name} ${as[chart.form](column[i])}` : '')).filter(Boolean).join(', ') || 'nothing') +
  '. Arrow keys walk through the time.';

// point shows the values of sample n.
function point(chart, n) {
  const { tip, box } = chart;
  chart.pointed = n;
  tip.hidden = n === undefined || !past[n];
  if (!box) return;
  box.cursor.setAttribute('visibility', tip.hidden ? 'hidden' : 'visible');
  if (tip.hidden) return;
  const s = past[n], place = box.x(s.at);
  const lines = chart.series.flatMap((one, i) => {
    const value = box.columns[n][i];
    if (value === null || (chart.stack && !value)) return [];
    const note = one.note ? `, ${one.note(s, view(chart, s))}` : '';
    return [make('div', {}, make('span', { className: `is-${one.is || one.name}` }, one.name), make('span', { className: 'value' }, as[chart.form](value) + note))];
  });
  const clock = as.moment(s.at).split(' (')[0];
  const happened = eventsAt(n).map((e) => make('div', { className: 'event-text' }, `${KINDS[e.kind] || e.kind}: ${e.text}`));
  tip.replaceChildren(make('b', {}, clock), ...(lines.length ? lines : ['nothing']), ...happened);
  box.cursor.setAttribute('x1', place);
  box.cursor.setAttribute('x2', place);
  const right = place > box.width / 2;
  tip.style.left = right ? '' : `${place + 24}px`;
  tip.style.right = right ? `${box.width - place + 24}px` : '';
  tip.style.top = '44px';
  if (document.activeElement === box.root) byId('spoken').textContent = `${chart.title} at ${clock}: ${[...lines, ...happened].map((l) => l.textContent).join(', ') || 'nothing'}`;
}

function build(chart) {
  const keys = chart.keys = chart.series.map((one) => make('span', { className: `is-${one.is || one.name}` }, one.name));
  const limitKey = make('span', { className: 'is-limit limit-key', hidden: true }, chart.title === 'Cache' ? 'budget' : 'limit');
  chart.plot = make('div');
  chart.tip = make('div', { className: 'tip', hidden: true });
  chart.figure = make('figure', {}, make('figcaption', {}, chart.title, make('span', { className: 'keys' }, ...keys, limitKey)), chart.plot, chart.tip);
  chart.plot.addEventListener('pointermove', (e) => {
    if (!chart.box) return;
    const px = e.clientX - chart.plot.getBoundingClientRect().left;
    let best = 0;
    past.forEach((s, n) => { if (Math.abs(chart.box.x(s.at) - px) < Math.abs(chart.box.x(past[best].at) - px)) best = n; });
    point(chart, best);
  });
  chart.plot.addEventListener('pointerleave', () => point(chart, undefined));
  chart.plot.addEventListener('focusout', (e) => { if (e.target.isConnected) point(chart, undefined); });
  chart.plot.addEventListener('keydown', (e) => {
    const n = chart.pointed ?? past.length;
    const to = { ArrowLeft: n - 1, ArrowRight: n + 1, Home: 0, End: past.length - 1, Escape: undefined };
    if (!(e.key in to)) return;
    e.preventDefault();
    point(chart, to[e.key] === undefined ? undefined : Math.min(Math.max(to[e.key], 0), past.length - 1));
  });
  byId('charts').append(chart.figure);
}

function showPast() {
  for (const chart of CHARTS) {
    if (chart.pointed !== undefined) chart.pointed = undefined, chart.tip.hidden = true;
    draw(chart);
  }
  const hours = { '1h': 1, '6h': 6, '48h': 48 }[byId('range').value], covered = past.length ? (past.at(-1).at - past[0].at) / 3600000 : 0;
  byId('past-note').textContent = past.length && covered < hours * 0.95 ? `The history covers ${as.span(covered * 3600)} so far.` : '';
  if (stats) showTiles();
}
