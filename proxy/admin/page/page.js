'use strict';
// The ops room. While the page is visible it polls stats and history, at addresses
// relative to its own. charts.js draws the history, actions.js has the buttons.

const STATS_EVERY = 5000, SOON_EVERY = 1000, HISTORY_EVERY = 10000, PATIENCE = 8000; // milliseconds
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
const counted = (n, one, many = one + 's') => `${plain(n)} ${n === 1 ? one : many}`;
const rounded = (n) => n.toLocaleString('en-GB', { maximumFractionDigits: digits(Math.abs(n)) });

// The forms in which a figure is shown.
const as = {
  count: plain,
  text: String,
  status: String,
  percent: (n) => rounded(n * 100) + ' %',
  rate: (n) => rounded(n) + ' /s',
  ms: (n) => (n === 0 ? '0' : n < 1 ? rounded(n * 1000) + ' µs' : n < 1000 ? rounded(n) + ' ms' : rounded(n / 1000) + ' s'),
  seconds: (n) => as.ms(n * 1000),
  bytes(n) {
    if (n > 2 ** 60) return 'none';
    const i = n < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(n) / 10));
    return rounded(n / 1024 ** i) + ' ' + ['B', 'KiB', 'MiB', 'GiB', 'TiB'][i];
  },
  limit: (n) => (n ? as.bytes(n) : 'none'),
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

// set shows a figure; data-raw holds the unformatted figure, for the tests.
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

// ask sends a request to an address relative to the page's, and returns the answer's
// JSON. Its errors are texts for people.
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

let stats = null, statsAt = 0, failedSince = 0, past = [], recent = {}, asked = '', uptime = 0;

async function readStats() {
  try {
    stats = await ask('stats');
    statsAt = Date.now();
    failedSince = 0;
    if (stats.uptime_seconds < uptime) asked = ''; // another process
    uptime = stats.uptime_seconds;
    showStats();
  } catch (e) {
    failedSince ||= Date.now();
    trouble(e.message);
  }
  showState();
}

// readHistory reads the new samples of the chosen range. It reads the whole range after
// another choice, and always of the longer ranges, whose newest samples become coarser.
async function readHistory() {
  const range = byId('range').value, route = byId('route').value;
  const choice = `range=${range}&route=${encodeURIComponent(route)}`;
  const whole = choice !== asked || range !== '1h' || !past.length;
  try {
    const h = await ask(`history?${choice}&after=${whole ? 0 : past.at(-1).at}`);
    past = whole ? h.samples : past.concat(h.samples).slice(-h.kept);
    recent = h.recent;
    asked = choice;
    showPast();
  } catch { /* the stats report the failure */ }
}

// loop calls read while the page is visible, with a pause between two calls.
function loop(read, pause) {
  let timer = 0, running = false, again = false;
  async function turn() {
    clearTimeout(timer);
    again = running;
    if (running || document.hidden) return;
    running = true;
    await read();
    running = false;
    timer = setTimeout(turn, again ? 0 : pause());
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

// showState shows the gravest condition in full, and the others as a list.
function showState() {
  const [first, ...others] = stats ? stats.conditions : [];
  const unreached = { level: 'bad', title: 'Not reached' };
  const c = failedSince ? unreached : first, e = byId('state');
  e.dataset.state = c.level;
  if (e.textContent !== c.title) e.textContent = c.title;
  document.body.classList.toggle('old', failedSince > 0);
  document.title = (c.level === 'bad' ? c.title + ' · ' : '') + 'xcri-proxy';
  if (!failedSince) trouble('');
  showAge();
  const now = byId('now');
  now.hidden = failedSince > 0 || c.level === 'good';
  now.dataset.level = c.level;
  if (now.hidden) return;
  for (const [part, text] of Object.entries({ title: c.title, since: 'since ' + as.moment(c.since), cause: c.cause, visitors: c.visitors, remedy: c.remedy })) {
    const to = byId('now-' + part);
    if (to.textContent !== text) to.textContent = text; // a screen reader reads each change
  }
  byId('accept').hidden = !stats.conditions.some((o) => o.code === 'held' || o.code === 'table_held');
  byId('others').replaceChildren(...others.filter((o) => o.level !== 'good').map((o) => make('li', {}, make('details', { className: 'other', 'data-level': o.level },
    make('summary', {}, `${o.title}, since ${as.moment(o.since)}`), make('p', {}, `${o.cause} ${o.visitors} ${o.remedy}`)))));
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
  showFleet();
  showLoading();
  showStale();
  showSources(stats.sources);
  showWarm(stats.generation.warm);
  showRoutes();
  showHottest();
  showShelves();
  showFronts();
  showStatuses();
  showSlowest();
  showEvents();
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

// beside describes the same figure of the hour around this time yesterday.
function beside(of, form) {
  const y = recent.yesterday;
  return y ? `${as[form](of(y))} at this hour yesterday` : 'no figures of yesterday';
}

// waitingState is the worst level of the conditions that concern waiting requests.
function waitingState() {
  const levels = stats.conditions.filter((c) => ['waiting', 'flood', 'hanging'].includes(c.code)).map((c) => c.level);
  return ['bad', 'warn'].find((l) => levels.includes(l)) ?? '';
}

function showTiles() {
  const { generation: g, requests: r, cache: c, pool: p, memory: m } = stats;
  const now = recent.last_5_minutes, total = requestsIn(r.outcomes);
  const per = (w) => w.requests / w.seconds, failed = (w) => (w.answers ? w.errors / w.answers : 0);
  const five = (of, form, some = true) => (now && some ? as[form](of(now)) : '–');
  const requests = now && now.requests > 0;
  byId('tiles').replaceChildren(
    tile('Requests, 5 min', five(per, 'rate'), '', beside(per, 'rate'), `${plain(total)} since the start`),
    tile('Errors, 5 min', five(failed, 'percent', now && now.answers), now && failed(now) > 0.05 ? 'bad' : '', beside(failed, 'percent'), now ? `${plain(now.errors)} of ${counted(now.answers, 'answer')}` : ''),
    tile('Hit ratio, 5 min', five((w) => w.hit_ratio, 'percent', requests), now && now.requests > 500 && now.hit_ratio < 0.9 ? 'warn' : '', beside((w) => w.hit_ratio, 'percent'), total ? `${as.percent(r.hit_ratio)} since the start` : ''),
    tile('Latency p95, 5 min', five((w) => w.p95_ms, 'ms', requests), now && now.p95_ms > 1000 ? 'bad' : '', beside((w) => w.p95_ms, 'ms'), requests ? `p50 ${as.ms(now.p50_ms)}, p99 ${as.ms(now.p99_ms)}` : ''),
    tile('Waiting requests', plain(c.waiting), waitingState(), meter(share(p.in_use, p.limit)), `${p.in_use} of ${counted(p.limit, 'connection')} in use`),
    tile('Data', g.published_at ? as.span((Date.now() - new Date(g.published_at)) / 1000) : 'none', g.published_at ? '' : 'warn', g.published_at ? 'since its publish' : 'not published yet', g.stale_entries ? counted(g.stale_entries, 'stale entry', 'stale entries') : 'no entry is stale'),
    tile('Memory', as.bytes(m.used), m.budget ? level(share(m.used, m.budget)) : '', ...(m.budget ? [meter(share(m.used, m.budget)), `of ${as.bytes(m.budget)}, the limit`] : ['no limit set'])),
    ...(stats.fleet ? [tile('Fleet', plain(stats.fleet.members.length), stats.fleet.breaker === 'open' ? 'warn' : '', stats.fleet.breaker === 'open' ? 'shared level away' : `${stats.fleet.members.length === 1 ? 'member' : 'members'}, shared level up`, `${counted(stats.fleet.hits, 'answer')} from other members`)] : []),
    tile('Cache', as.bytes(c.bytes), '', meter(share(c.bytes, c.budget), ''), `of ${as.bytes(c.budget)}, ${counted(c.entries, 'entry', 'entries')}`),
  );
}

// showFleet lists the proxies that share a level, and describes the level.
function showFleet() {
  const f = stats.fleet;
  byId('fleet').hidden = !f;
  if (!f) return;
  rows(byId('members'), [...f.members, ...f.gone], (m) => [make('span', {}, m.own ? `${m.name} (this proxy)` : m.name), [m.version || null, 'text'], [m.calculated_at || null, 'text'], [m.behind_since ?? null, 'moment'],
    m.last_heard ? [`gone, last heard of ${as.moment(m.last_heard)}`, 'text'] : [m.health || null, 'text']]);
  const away = f.breaker === 'open' ? `The shared level is away: ${f.reason}. ` : '';
  byId('shared-note').textContent = `${away}Shared level: ${counted(f.hits, 'hit')}, ${counted(f.misses, 'miss', 'misses')}, ${counted(f.waits, 'wait')} for other members, ${plain(f.puts)} stored; ${as.bytes(f.read_bytes)} read, ${as.bytes(f.written_bytes)} written; ${counted(f.errors, 'error')}; publishes: ${plain(f.publishes.together)} together, ${plain(f.publishes.late)} late, ${plain(f.publishes.alone)} alone, ${counted(f.publishes.votes_lost, 'vote')} lost; ${counted(f.holds.now, 'request')} waiting for one, ${plain(f.holds.total)} so far; p99 ${as.ms(f.latency.p99_ms)}.`;
}

const MOST_LOADS = 8;

function showLoading() {
  const all = stats.loading;
  byId('loading').hidden = !all.length;
  rows(byId('loading'), all.slice(0, MOST_LOADS), (l) => [make('code', {}, l.key), [l.age_ms, 'ms'], [l.phase === 'queued' ? l.phase : l.step || l.phase, 'text'], [l.waiting, 'count'],
    [l.table || null, 'text'], [l.client || 'none', 'text'], [l.request || null, 'text']]);
  const more = all.length - MOST_LOADS;
  byId('loading-note').textContent = !all.length ? 'Nothing is loading.' : more > 0 ? `Not shown: ${counted(more, 'younger load')}${all.length === 50 ? ' or more' : ''}.` : '';
}

const MOST_SLOW = 10;

// showSlowest lists the slowest requests, each with its longest phases.
function showSlowest() {
  const all = stats.slowest;
  byId('slowest').hidden = !all.length;
  rows(byId('slowest'), all.slice(0, MOST_SLOW), (r) => [make('code', {}, r.target), [r.took_ms, 'ms'], [r.at, 'moment'], [r.status, 'status'],
    [r.outcome || null, 'text'], [phases(r.phases), 'text'], [r.request_id || null, 'text']]);
  byId('slowest-note').textContent = !all.length ? 'None so far.' : all.length > MOST_SLOW ? `${all.length - MOST_SLOW} more are in stats.` : '';
}

const phases = (p) => Object.entries(p || {}).sort((a, b) => b[1] - a[1]).slice(0, 3).map(([name, ms]) => `${name.replace('_ms', '')} ${as.ms(ms)}`).join(', ') || null;

function showStatuses() {
  const codes = Object.entries(stats.requests.answers_by_status);
  byId('statuses').replaceChildren(...codes.flatMap(([code, n]) => {
    const e = make('dd', {});
    set(e, n, 'count');
    if (code >= '500') e.classList.add('bad');
    return [make('dt', {}, code), e];
  }));
}

const KINDS = { start: 'Start', hand_over: 'Hand-over', publish: 'Publish', held: 'Held back', outage: 'Outage', back: 'Database back', purge: 'Purge', source: 'Source',
  maintenance: 'Maintenance', maintenance_end: 'Maintenance ended', refused: 'Not done here', alarm: 'Visitors affected', alarm_end: 'Served again' };
const BAD_KINDS = ['outage', 'alarm', 'held', 'refused'];

let eventsDrawn = 0;

function showEvents() {
  const newest = stats.events.length ? Date.parse(stats.events.at(-1).at) : 0;
  if (newest !== eventsDrawn) CHARTS.forEach(draw); // the charts mark them
  eventsDrawn = newest;
  const latest = stats.events.slice(-8).reverse();
  byId('events').replaceChildren(...latest.map((e) => make('li', { 'data-kind': BAD_KINDS.includes(e.kind) ? 'bad' : '' },
    make('time', { dateTime: e.at }, as.moment(e.at)), make('b', {}, KINDS[e.kind] || e.kind), make('span', {}, e.text))));
}

// rows puts one row in a table for each item of list. A cell is [value, form] or a
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
  return make('div', { className: 'mix', role: 'img', 'aria-label': words || 'no requests', title: words }, ...present.map((o) => {
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
  options(byId('source-route'), paths, 'all routes');
}

// options fills a select, once.
function options(select, values, first) {
  if (select.options.length > 1) return;
  select.replaceChildren(...(first ? [make('option', { value: '' }, first)] : []), ...values.map((v) => make('option', { value: v }, v)));
}

const word = (outcome) => make('span', { className: 'word is-' + outcome }, outcome);

function showHottest() {
  rows(byId('hottest'), stats.hottest, (h) => [make('code', {}, h.key), [h.asked, 'count'], [h.where, 'text'], word(h.outcome)]);
}

function showShelves() {
  const order = ['warm', 'hot', 'tail', 'absent', 'season'];
  const list = Object.entries(stats.cache.shelves).sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
  rows(byId('shelves'), list, ([name, s]) => [make('span', {}, name), meter(share(s.bytes, s.budget), ''), [s.bytes, 'bytes'], [s.budget, 'bytes'],
    [s.entries, 'count'], [s.evicted, 'count'], [s.rejected, 'count'], [s.too_large, 'count', true], [s.dropped, 'count']]);
}

function showFronts() {
  byId('fronts-section').hidden = stats.fronts.length === 0;
  rows(byId('fronts'), stats.fronts, (f) => [make('code', {}, f.name), [f.pending_tags, 'count', true], [f.pending_since, 'moment'], [f.repeating_tags, 'count'],
    [f.purges, 'count'], [f.purged_tags, 'count'], [f.purged_at, 'moment'], [f.failures, 'count', true], [f.failed_at, 'moment'],
    [f.widened, 'count'], [f.error || null, 'text']]);
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
    make('span', { className: b.state === 'open' ? 'bad' : '' }, b.state === 'open' ? 'open' : 'closed'),
    [b.loads, 'count'], [b.failed, 'count', true], [b.loads > b.failed ? b.mean_ms : null, 'ms'], [b.switches, 'count'],
    [b.since, 'moment'], [b.reason || null, 'text']]);
}

function showSeason(s) {
  byId('season').hidden = s.state === 'off';
  byId('season-progress').max = s.keys || 1;
  byId('season-progress').value = s.done;
  const text = s.waiting ? `waiting: ${s.waiting}` : s.state === 'full' ? 'no room for more' : s.state || 'not begun';
  byId('season-text').textContent = s.keys ? `${text}: ${s.done} of ${s.keys}` : text;
}

function showWarm(w) {
  showSeason(w.season);
  const bar = byId('progress');
  bar.max = w.keys || 1;
  bar.value = w.done;
  byId('progress-text').textContent = w.warming ? `warming: ${w.done} of ${w.keys}` : w.keys ? `${w.done} of ${w.keys}` : 'nothing warmed yet';
}

// ---- start: charts.js and actions.js have run by then

let statsLoop, historyLoop, drawnAt = 0;

document.addEventListener('DOMContentLoaded', () => {
  CHARTS.forEach(build);
  for (const id of ['route', 'range']) byId(id).addEventListener('change', () => historyLoop());
  new ResizeObserver(() => {
    const width = byId('charts').clientWidth;
    if (width !== drawnAt) CHARTS.forEach(draw);
    drawnAt = width;
  }).observe(byId('charts'));
  setInterval(showAge, 1000);
  const soon = () => stats && (stats.generation.warm.warming || stats.loading.length > 0 || stats.conditions[0].level === 'bad');
  statsLoop = loop(readStats, () => (soon() ? SOON_EVERY : STATS_EVERY));
  historyLoop = loop(readHistory, () => (byId('range').value === '1h' ? HISTORY_EVERY : 6 * HISTORY_EVERY));
});
