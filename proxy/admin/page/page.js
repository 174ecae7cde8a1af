'use strict';
// The page for those who run the proxy. It reads stats and history beside
// itself, again and again while somebody looks, and asks for nothing else.

const STATS_EVERY = 5000, WARMING_EVERY = 1000, HISTORY_EVERY = 10000, PATIENCE = 8000; // milliseconds
const OUTCOMES = ['hit', 'stale', 'stale_error', 'miss', 'coalesced', 'pass', 'error'];
const byId = (id) => document.getElementById(id);

// ---- small things

function make(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props)) {
    if (k in e) e[k] = v; else e.setAttribute(k, v);
  }
  e.append(...children);
  return e;
}

const at = (object, path) => path.split('.').reduce((o, k) => (o === null || o === undefined ? o : o[k]), object);

const digits = (n) => (n >= 100 ? 0 : n >= 10 ? 1 : 2);
const plain = (n) => n.toLocaleString('en-GB', { maximumFractionDigits: 0 });
const rounded = (n) => n.toLocaleString('en-GB', { maximumFractionDigits: digits(Math.abs(n)) });

// In what form a figure is shown.
const as = {
  count: plain,
  text: String,
  percent: (n) => rounded(n * 100) + ' %',
  rate: (n) => rounded(n) + ' /s',
  ms: (n) => (n === 0 ? '0' : n < 1 ? rounded(n * 1000) + ' µs' : n < 1000 ? rounded(n) + ' ms' : rounded(n / 1000) + ' s'),
  seconds: (n) => as.ms(n * 1000),
  bytes(n) {
    if (n > 2 ** 60) return 'none';
    const i = n < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(n) / 10));
    return rounded(n / 1024 ** i) + ' ' + ['B', 'KiB', 'MiB', 'GiB', 'TiB'][i];
  },
  span(s) {
    s = Math.max(0, Math.round(s));
    const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
    return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m ? `${m} min` : `${s} s`;
  },
  moment(t) {
    const then = new Date(t), today = new Date().toDateString() === then.toDateString();
    const clock = then.toLocaleTimeString('en-GB');
    return `${today ? clock : then.toLocaleDateString('en-CA') + ' ' + clock} (${as.span((Date.now() - then) / 1000)} ago)`;
  },
};

// set shows a figure; data-raw is it as it came, for those who look closer.
function set(e, value, form, none = '–') {
  const missing = value === null || value === undefined || value === '';
  e.textContent = missing ? none : as[form](value);
  e.dataset.raw = missing ? '' : value;
  if (form === 'moment') e.title = missing ? '' : value;
  if ('bad' in e.dataset) e.classList.toggle('bad', value > 0);
}

const sum = (list) => list.reduce((a, b) => a + b, 0);
const requestsIn = (o) => sum(OUTCOMES.map((k) => o[k]));

// ---- reading

// ask sends a request beside the page and returns the answer's JSON. Its errors
// are in words for people.
async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE), ...options });
  } catch (e) {
    throw new Error(e.name === 'TimeoutError' ? 'The proxy does not answer.' : 'The proxy can’t be reached.');
  }
  if (answer.status === 401) location.reload(); // the session has ended: the answer is the login page
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error((body && typeof body.detail === 'string' && body.detail) || `The proxy answered ${answer.status}.`);
  if (!body) throw new Error('The proxy’s answer could not be read.');
  return body;
}

const post = (path, body) => ask(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

let stats = null, statsAt = 0, failedSince = 0, past = [], kept = 360, every = 10, uptime = 0;

async function readStats() {
  try {
    stats = await ask('stats');
    statsAt = Date.now();
    failedSince = 0;
    if (stats.uptime_seconds < uptime) past = []; // another process
    uptime = stats.uptime_seconds;
    countVisitors();
    showStats();
  } catch (e) {
    failedSince ||= Date.now();
    trouble(e.message);
  }
  showState();
}

async function readHistory() {
  try {
    const h = await ask('history?after=' + (past.length ? past.at(-1).at : 0));
    kept = h.kept;
    every = h.every_seconds;
    past = past.concat(h.samples).slice(-kept);
    showPast();
  } catch { /* the stats tell of the trouble */ }
}

// loop calls read while somebody looks, with a pause between two calls.
function loop(read, pause) {
  let timer = 0, running = false;
  async function turn() {
    clearTimeout(timer);
    if (running || document.hidden) return;
    running = true;
    await read();
    running = false;
    timer = setTimeout(turn, pause());
  }
  document.addEventListener('visibilitychange', turn);
  turn();
  return turn;
}

// ---- state and figures

function trouble(message) {
  const e = byId('trouble');
  e.dataset.kind = 'bad';
  e.hidden = !message;
  e.textContent = message && (statsAt ? `${message} The figures are of ${new Date(statsAt).toLocaleTimeString('en-GB')}.` : message);
}

// minute holds the numbers of answers and errors since the start, as they were read in
// the last minute, oldest first.
let minute = [];

function countVisitors() {
  const { outcomes } = stats.requests;
  const now = { at: Date.now(), all: requestsIn(outcomes), errors: outcomes.error };
  minute = [...minute.filter((m) => now.at - m.at <= 60000 && m.all <= now.all), now];
}

// suffering returns the state and its cause if visitors get errors or wait; undefined
// if they are served well.
function suffering() {
  const first = minute[0], last = minute.at(-1), { waiting } = stats.cache, p = stats.pool;
  const all = last.all - first.all, errors = last.errors - first.errors;
  const pool = `${p.in_use} of ${p.limit} database connections are in use. The log names the routes; SHOW PROCESSLIST shows what the database does.`;
  if (errors >= 5 && errors > 0.05 * all) return ['Visitors get errors', `${plain(errors)} of ${plain(all)} answers of the last minute were errors, ${plain(waiting)} requests wait now. ${pool}`];
  if (waiting >= 10) return ['Visitors wait', `${plain(waiting)} requests wait for the database now. ${pool}`];
}

function showState() {
  const e = byId('state');
  let cause = '';
  const g = stats && stats.generation;
  let [state, words] = ['good', 'Well'];
  if (failedSince) [state, words] = ['bad', 'Not reached'];
  else if (g.down_since) [state, words] = ['bad', 'Database away'];
  else if (suffering()) [state, words, cause] = ['bad', ...suffering()];
  else if (g.warm.held) [state, words, cause] = ['warn', 'Data held back', `The new data looks like half an import: ${g.warm.held}. Visitors get the data from before. “xcri-proxy warm --accept” publishes it as it is.`];
  else if (g.warm.warming) [state, words] = ['warn', 'Warming'];
  else if (Object.values(stats.sources.breakers).some((b) => b.state === 'open')) [state, words] = ['warn', 'A source was left'];
  else if (!g.published_at) [state, words] = ['warn', 'No generation yet'];
  else if (stats.requests.panics + stats.cache.fill_panics > 0) [state, words] = ['warn', 'There were panics'];
  else if (g.stale_entries > 0) [state, words] = ['good', 'Well, some stale'];
  e.dataset.state = state;
  if (e.textContent !== words) e.textContent = words;
  document.body.classList.toggle('old', failedSince > 0);
  document.title = (state === 'bad' ? words + ' · ' : '') + 'xcri-proxy';
  if (!failedSince) trouble(cause);
  showAge();
}

function showAge() {
  const e = byId('age');
  if (!statsAt) return;
  const age = Math.round((Date.now() - statsAt) / 1000);
  e.textContent = age < 2 ? 'figures of now' : `figures ${as.span(age)} old`;
}

function showStats() {
  for (const e of document.querySelectorAll('[data-path]')) set(e, at(stats, e.dataset.path), e.dataset.as, e.dataset.none);
  showTiles();
  showMaintenance(stats.maintenance);
  showStale();
  showSources(stats.sources);
  showWarm(stats.generation.warm);
  showRoutes();
  showHottest();
  showShelves();
}

// showMaintenance tells that people get a notice instead of the site.
function showMaintenance(m) {
  const e = byId('maintenance');
  e.hidden = !m;
  if (!m) return;
  const until = m.until ? `, told to last until ${new Date(m.until).toLocaleString('en-GB')}` : '';
  const message = m.message ? ` People read: “${m.message}”` : '';
  const words = `Maintenance mode is on since ${as.moment(m.since)}${until}.${message} To end it: xcri-proxy maintenance off`;
  if (e.textContent !== words) e.textContent = words;
}

const share = (part, all) => (all > 0 && all < 2 ** 60 ? Math.min(1, part / all) : 0);
const level = (x) => (x > 0.95 ? 'bad' : x > 0.85 ? 'warn' : '');

function meter(x, state = level(x)) {
  const bar = make('i');
  bar.style.width = `${(x * 100).toFixed(1)}%`;
  return make('div', { className: 'meter', 'data-state': state }, bar);
}

function tile(title, value, state, ...rest) {
  const lines = rest.map((r) => (typeof r === 'string' ? make('p', {}, r) : r));
  return make('div', { className: 'tile', 'data-state': state }, make('h2', {}, title), make('strong', {}, value), ...lines);
}

function showTiles() {
  const { generation: g, requests: r, cache: c, pool: p, memory: m } = stats;
  const last = past.slice(-6), now = sum(last.map((s) => sum(s.all.outcomes))) / (sum(last.map((s) => s.seconds)) || 1);
  const total = requestsIn(r.outcomes), ratio = r.hit_ratio;
  const limited = m.limit < 2 ** 60;
  byId('tiles').replaceChildren(
    tile('Hit ratio', total ? as.percent(ratio) : '–', total > 500 && ratio < 0.9 ? 'warn' : '', 'since the start'),
    tile('Requests', last.length ? as.rate(now) : '–', '', `${plain(total)} since the start`),
    tile('Latency, p95', r.latency.count ? as.ms(r.latency.p95_ms) : '–', '', r.latency.count ? `p50 ${as.ms(r.latency.p50_ms)}, p99 ${as.ms(r.latency.p99_ms)}` : 'no request yet'),
    tile('Stale entries', plain(g.stale_entries), g.down_since ? 'bad' : '', g.down_since ? `database away since ${as.moment(g.down_since)}` : g.stale_since ? `since ${as.moment(g.stale_since)}` : 'all true now'),
    tile('Generation', g.published_at ? as.span((Date.now() - new Date(g.published_at)) / 1000) : 'none', g.published_at ? '' : 'warn', g.published_at ? `since it was published` : 'not published yet'),
    tile('Pool in use', `${p.in_use} of ${p.limit}`, level(share(p.in_use, p.limit)), meter(share(p.in_use, p.limit)), `${plain(p.waits)} waits`),
    tile('Memory', as.bytes(m.rss), limited ? level(share(m.rss, m.limit)) : '', ...(limited ? [meter(share(m.rss, m.limit)), `limit ${as.bytes(m.limit)}`] : ['no limit set'])),
    tile('Cache', as.bytes(c.bytes), '', meter(share(c.bytes, c.budget), ''), `of ${as.bytes(c.budget)}, ${plain(c.entries)} entries`),
  );
}

// rows puts one row for each of list in a table. A cell is [value, form] or a
// node; labels come from the table's head, for the phone's cards.
function rows(table, list, cells) {
  const labels = [...table.tHead.rows[0].cells].map((c) => c.textContent);
  table.tBodies[0].replaceChildren(...list.map((item) => make('tr', {}, ...cells(item).map((cell, i) => {
    const e = make(i ? 'td' : 'th', i ? { 'data-label': labels[i] } : { scope: 'row' });
    if (cell instanceof Node) {
      e.append(cell);
      if (cell.matches('.mix, .meter')) e.className = cell.matches('.mix:empty') ? 'bar none' : 'bar';
    } else {
      const [value, form, bad] = cell;
      if (bad) e.dataset.bad = '';
      set(e, value, form);
      if (form !== 'text') e.classList.add('num');
      if (value === null) e.classList.add('none');
    }
    return e;
  }))));
}

function mix(outcomes) {
  const all = requestsIn(outcomes), present = OUTCOMES.filter((o) => outcomes[o] > 0);
  const words = present.map((o) => `${o} ${plain(outcomes[o])}`).join(', ');
  return make('div', { className: 'mix', role: 'img', 'aria-label': words, title: words }, ...present.map((o) => {
    const part = make('i', { className: 'is-' + o });
    part.style.width = `${outcomes[o] / all * 100}%`;
    return part;
  }));
}

function hitRatio(o) {
  const hits = o.hit + o.stale + o.stale_error, all = hits + o.miss + o.coalesced + o.error;
  return all ? hits / all : null;
}

function showRoutes() {
  const all = Object.entries(stats.routes).map(([path, r]) => ({ path, ...r, requests: requestsIn(r.outcomes) }));
  const busy = all.filter((r) => r.requests + r.fills.count + r.fills.failed > 0).sort((a, b) => b.requests - a.requests || (a.path < b.path ? -1 : 1));
  rows(byId('routes'), busy, (r) => {
    const some = r.latency.count > 0, filled = r.fills.count > 0;
    return [make('code', {}, r.path), [r.requests, 'count'], [hitRatio(r.outcomes), 'percent'], mix(r.outcomes),
      [some ? r.latency.p50_ms : null, 'ms'], [some ? r.latency.p95_ms : null, 'ms'], [some ? r.latency.p99_ms : null, 'ms'],
      [r.fills.count, 'count'], [r.fills.failed, 'count', true],
      [filled ? r.fills.mean_ms : null, 'ms'], [filled ? r.fills.max_ms : null, 'ms'], [filled ? r.fills.latest_ms : null, 'ms']];
  });
  byId('idle').textContent = all.length > busy.length ? `${all.length - busy.length} more routes had nothing to do.` : '';
  const paths = all.map((r) => r.path).sort();
  options(byId('route'), paths, 'all routes');
  options(byId('purge-route'), paths);
}

// options fills a select once; it is left alone while the list is the same.
function options(select, values, first) {
  if (select.options.length > 1) return;
  select.replaceChildren(...(first ? [make('option', { value: '' }, first)] : []), ...values.map((v) => make('option', { value: v }, v)));
}

const word = (outcome) => make('span', { className: 'word is-' + outcome }, outcome);

function showHottest() {
  rows(byId('hottest'), stats.hottest, (h) => [make('code', {}, h.key), [h.asked, 'count'], [h.where, 'text'], word(h.outcome)]);
}

function showShelves() {
  const order = ['warm', 'hot', 'tail', 'absent'];
  const list = Object.entries(stats.cache.shelves).sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
  rows(byId('shelves'), list, ([name, s]) => [make('span', {}, name), meter(share(s.bytes, s.budget), ''), [s.bytes, 'bytes'], [s.budget, 'bytes'],
    [s.entries, 'count'], [s.evicted, 'count'], [s.rejected, 'count'], [s.too_large, 'count', true], [s.dropped, 'count']]);
}

function showStale() {
  const list = Object.entries(stats.generation.stale_routes).sort(([, a], [, b]) => b.entries - a.entries);
  byId('stale').hidden = list.length === 0;
  rows(byId('stale'), list, ([path, s]) => [make('code', {}, path), [s.entries, 'count'], [s.oldest_filled_at, 'moment']]);
}

function showSources(s) {
  const list = Object.entries(s.routes).sort(([a], [b]) => (a < b ? -1 : 1));
  byId('source-routes').hidden = list.length === 0;
  byId('source-note').hidden = !s.changed;
  rows(byId('source-routes'), list, ([path, source]) => [make('code', {}, path), [source, 'text']]);
  const sources = Object.entries(s.breakers).sort(([a], [b]) => (a > b ? -1 : 1)); // the store first
  rows(byId('breakers'), sources, ([source, b]) => [make('span', {}, source),
    make('span', { className: b.state === 'open' ? 'bad' : '' }, b.state === 'open' ? 'left' : 'yes'),
    [b.loads, 'count'], [b.failed, 'count', true], [b.loads > b.failed ? b.mean_ms : null, 'ms'], [b.switches, 'count'],
    [b.since, 'moment'], [b.reason || null, 'text']]);
}

function showWarm(w) {
  const bar = byId('progress');
  bar.max = w.keys || 1;
  bar.value = w.done;
  byId('progress-text').textContent = w.warming ? `warming: ${w.done} of ${w.keys}` : w.keys ? `${w.done} of ${w.keys}` : 'nothing warmed yet';
}

// ---- charts

const CHARTS = [
  { title: 'Requests by outcome', stack: true, form: 'rate', byRoute: true,
    series: OUTCOMES.map((o, i) => ({ name: o, of: (s, v) => v.outcomes[i] / s.seconds })) },
  { title: 'Hit ratio', form: 'percent', byRoute: true, top: 1,
    series: [{ name: 'hit ratio', is: 'hit', soft: true, of: (s, v) => hitRatio(Object.fromEntries(OUTCOMES.map((o, i) => [o, v.outcomes[i]]))) }] },
  { title: 'Request latency', form: 'ms', byRoute: true, log: true,
    series: ['p50', 'p95', 'p99'].map((p) => ({ name: p, of: (s, v) => v[p + '_ms'] || null })) },
  { title: 'Fill time', form: 'ms', byRoute: true,
    series: [{ name: 'mean of the fills', is: 'miss', of: (s, v) => (v.fills ? v.fill_ms : null), note: (s, v) => `${plain(v.fills)} fills` }] },
  { title: 'Pool', form: 'count', limit: () => stats.pool.limit,
    series: [{ name: 'most in use', is: 'main', soft: true, of: (s) => s.pool_in_use }] },
  { title: 'Memory', form: 'bytes', limit: () => stats.memory.limit,
    series: [{ name: 'resident', is: 'coalesced', of: (s) => s.rss }] },
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

// draw makes the chart anew from the samples.
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
  if (chart.stack) drawStack(root, chart, box); else chart.series.forEach((one, i) => drawLine(root, one, i, box));
  if (limit) {
    root.append(svg('line', { class: 'limit', x1: LEFT, x2: width - RIGHT, y1: scale.y(limit), y2: scale.y(limit) }));
  }
  const cursor = svg('line', { class: 'cursor', y1: TOP, y2: HEIGHT - BOTTOM, visibility: 'hidden' });
  root.append(cursor);
  const focused = plot.contains(document.activeElement);
  plot.replaceChildren(root);
  figure.querySelector('.limit-key').hidden = !limit;
  // Of the outcomes, only those that there were.
  if (chart.stack) chart.keys.forEach((key, i) => { key.hidden = !columns.some((c) => c[i] > 0); });
  chart.box = { ...box, root, cursor, width };
  if (focused) root.focus();
  if (chart.pointed !== undefined) point(chart, chart.pointed);
}

function axes(root, chart, scale, width, x, from, now) {
  for (const m of scale.marks) {
    const y = Math.round(scale.y(m));
    root.append(svg('line', { class: 'grid', x1: LEFT, x2: width - RIGHT, y1: y, y2: y }),
      svg('text', { x: LEFT - 6, y: y + 4, 'text-anchor': 'end' }, as[chart.form](m)));
  }
  const minutes = [1, 2, 5, 10, 15, 20, 30].find((m) => (now - from) / 60000 / m <= width / 80) || 60;
  for (let t = Math.ceil(from / 60000 / minutes) * minutes * 60000; t <= now; t += minutes * 60000) {
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

// drawLine connects neighbours; a value without one is a dot.
function drawLine(root, one, i, { x, y, columns }) {
  const runs = [[]];
  past.forEach((s, n) => {
    const gap = n > 0 && s.at - past[n - 1].at > 2.5 * every * 1000;
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
  '. Arrow keys walk through the hour.';

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
  const clock = new Date(s.at).toLocaleTimeString('en-GB');
  tip.replaceChildren(make('b', {}, clock), ...(lines.length ? lines : ['nothing']));
  box.cursor.setAttribute('x1', place);
  box.cursor.setAttribute('x2', place);
  const right = place > box.width / 2;
  tip.style.left = right ? '' : `${place + 24}px`;
  tip.style.right = right ? `${box.width - place + 24}px` : '';
  tip.style.top = '44px';
  if (document.activeElement === box.root) byId('spoken').textContent = `${chart.title} at ${clock}: ${lines.map((l) => l.textContent).join(', ') || 'nothing'}`;
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
  const minutes = past.length ? Math.round((past.at(-1).at - past[0].at) / 60000) : 0;
  byId('past-note').textContent = past.length && minutes < 58 ? `So far ${minutes < 1 ? 'less than a minute' : minutes + ' min'}: the proxy keeps one sample every ${every} s, for an hour.` : '';
  if (stats) showTiles();
}

// ---- buttons

function tell(message, kind = '') {
  const e = byId('done');
  e.hidden = !message;
  e.dataset.kind = kind;
  e.firstElementChild.textContent = message;
}

const rest = (ms) => new Promise((r) => setTimeout(r, ms));

// warm asks for a look at the database and tells how it went.
async function warm() {
  const button = byId('warm');
  button.disabled = true;
  button.textContent = 'Warming…';
  try {
    const { ticket } = await post('warm', {});
    let w, published = stats ? stats.generation.warm.published : 0;
    for (;;) {
      w = await ask('warm');
      showWarm(w);
      if (w.looked >= ticket && !w.warming) break;
      await rest(250);
    }
    if (w.down_since) tell('The database is away: nothing was warmed.', 'bad');
    else if (w.look_error) tell(`Not warmed: ${w.look_error}`, 'bad');
    else if (w.published === published) tell('The database has nothing newer: the warm set is that of its generation.');
    else tell(`Warmed ${plain(w.keys)} keys in ${as.seconds(w.seconds)}: ${plain(w.filled)} filled, ${plain(w.failed)} failed.`, w.failed ? 'warn' : '');
  } catch (e) {
    tell(`Not warmed. ${e.message}`, 'bad');
  }
  button.disabled = false;
  button.textContent = 'Warm now';
  statsLoop();
}

const chosen = () => document.querySelector('[name=what]:checked').value;

function resetAsk() {
  const what = chosen();
  for (const e of document.querySelectorAll('.field')) e.hidden = e.dataset.for !== what;
  byId('sure').hidden = byId('ask-trouble').hidden = true;
  byId('ask-yes').textContent = 'Purge';
  byId('ask-yes').className = 'main';
}

async function purge(e) {
  e.preventDefault();
  const what = chosen(), hard = byId('hard').checked;
  const value = what === 'all' ? true : byId('purge-' + what).value.trim();
  const wrong = byId('ask-trouble');
  wrong.dataset.kind = 'bad';
  wrong.hidden = Boolean(value);
  wrong.textContent = value ? '' : `Say which ${what}.`;
  if (!value) return;
  if (hard && byId('sure').hidden) {
    byId('sure').hidden = false;
    byId('ask-yes').textContent = 'Yes, drop them';
    byId('ask-yes').className = 'danger';
    return;
  }
  try {
    const { purged } = await post('purge', { [what]: value, hard });
    byId('ask').close();
    tell(`Purged ${plain(purged)} ${purged === 1 ? 'entry' : 'entries'}${hard ? '; they are gone' : '; each is stale until it is refreshed'}.`);
    statsLoop();
  } catch (err) {
    wrong.hidden = false;
    wrong.textContent = err.message;
  }
}

// ---- start

CHARTS.forEach(build);
byId('route').addEventListener('change', showPast);
byId('warm').addEventListener('click', warm);
byId('done').lastElementChild.addEventListener('click', () => tell(''));
byId('purge').addEventListener('click', () => { byId('hard').checked = false; resetAsk(); byId('ask').showModal(); });
byId('ask-no').addEventListener('click', () => byId('ask').close());
byId('ask-form').addEventListener('change', resetAsk);
byId('ask-form').addEventListener('submit', purge);
let drawnAt = 0;
new ResizeObserver(() => {
  const width = byId('charts').clientWidth;
  if (width !== drawnAt) CHARTS.forEach(draw);
  drawnAt = width;
}).observe(byId('charts'));
setInterval(showAge, 1000);
const statsLoop = loop(readStats, () => (stats && stats.generation.warm.warming ? WARMING_EVERY : STATS_EVERY));
loop(readHistory, () => HISTORY_EVERY);
