'use strict';
// The buttons of the ops room. Each change is a POST with JSON; changes that visitors
// notice need a second click.

function tell(message, kind = '') {
  const e = byId('done');
  e.hidden = !message;
  e.dataset.kind = kind;
  e.firstElementChild.textContent = message;
}

const rest = (ms) => new Promise((r) => setTimeout(r, ms));

// warm requests a poll of the database and shows its result. With accept, data that is
// held back is published.
async function warm(button, request = {}) {
  const name = button.textContent;
  button.disabled = true;
  button.textContent = 'Warming…';
  try {
    const { ticket, warning } = await post('warm', request);
    let w, published = stats ? stats.generation.warm.published : 0;
    for (;;) {
      w = await ask('warm');
      showWarm(w);
      if (w.looked >= ticket && !w.warming) break;
      await rest(250);
    }
    const also = warning ? ` ${warning}.` : '';
    if (w.down_since) tell('The database is down: nothing was warmed.', 'bad');
    else if (w.look_error) tell(`Not warmed: ${w.look_error}`, 'bad');
    else if (w.published === published) tell('The database has nothing newer: the warm set is complete.' + also, also && 'warn');
    else tell(`Warmed ${counted(w.keys, 'key')} in ${as.seconds(w.seconds)}: ${plain(w.filled)} filled, ${plain(w.failed)} failed.${also}`, w.failed || also ? 'warn' : '');
  } catch (e) {
    tell(`Not warmed. ${e.message}`, 'bad');
  }
  button.disabled = false;
  button.textContent = name;
  statsLoop();
}

// sure asks for a second click on a button: it shows the effect on visitors, and returns
// true at the second click.
function sure(dialog, button, words) {
  const box = dialog.querySelector('.sure');
  if (!box.hidden && box.textContent === words) return true;
  box.textContent = words;
  box.hidden = false;
  button.dataset.name ||= button.textContent;
  button.textContent = 'Yes, ' + button.dataset.yes;
  button.className = 'danger';
  return false;
}

// unsure removes the question of sure, after another choice or when the dialog opens.
function unsure(dialog) {
  dialog.querySelectorAll('.sure, .wrong').forEach((e) => { e.hidden = true; });
  for (const button of dialog.querySelectorAll('[data-name]')) {
    button.textContent = button.dataset.name;
    button.className = 'main';
  }
}

// act runs a change from a dialog. The dialog stays open and shows the reason if it fails.
async function act(dialog, change) {
  const wrong = dialog.querySelector('.wrong');
  wrong.hidden = true;
  try {
    const [message, kind] = await change();
    dialog.close();
    tell(message, kind);
    statsLoop();
  } catch (e) {
    wrong.textContent = e.message;
    wrong.hidden = false;
  }
}

function openDialog(id) {
  const dialog = byId(id);
  unsure(dialog);
  dialog.showModal();
}

// ---- maintenance

let previewed = '';

// showPreview loads the page that visitors would get.
function showPreview() {
  const until = byId('until').value ? new Date(byId('until').value).toISOString() : '';
  const address = 'maintenance/preview?' + new URLSearchParams({ until, message: byId('message').value });
  if (address !== previewed) byId('preview').src = previewed = address;
}

function openMaintenance() {
  const m = stats && stats.maintenance;
  byId('maintenance-now').textContent = m ? `On since ${as.moment(m.since)}.` : 'Off.';
  byId('maintenance-on').textContent = m ? 'Change it' : 'Turn it on';
  byId('maintenance-on').dataset.name = byId('maintenance-on').textContent;
  byId('maintenance-off').hidden = !m;
  byId('message').value = m ? m.message : '';
  byId('until').value = m && m.until ? new Date(new Date(m.until) - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 16) : '';
  openDialog('maintenance-ask');
  showPreview();
}

function maintenance(on) {
  const dialog = byId('maintenance-ask'), until = byId('until').value;
  if (on && !sure(dialog, byId('maintenance-on'), 'Sure? All visitors get this page instead of the site, and the API answers from the cache only. It lasts until you end it.')) return;
  act(dialog, async () => {
    const request = on ? { on, message: byId('message').value, ...(until ? { until: new Date(until).toISOString() } : {}) } : { on };
    const state = await post('maintenance', request);
    return [`Maintenance mode is ${state.on ? 'on' : 'off'}.${state.warning ? ' ' + state.warning + '.' : ''}`, state.on || state.warning ? 'warn' : ''];
  });
}

// ---- source

const SOURCES = { store: 'the database', legacy: 'the old API', auto: 'the database, and the old API while the database fails' };

function source(e) {
  e.preventDefault();
  const dialog = byId('source-ask'), to = dialog.querySelector('[name=to]:checked').value, route = byId('source-route').value;
  const which = route ? `Answers of ${route}` : 'All answers';
  const words = to === 'reset' ? 'Sure? All routes go back to their configured sources.' : `Sure? ${which} come from ${SOURCES[to]} from the next load on.`;
  if (!sure(dialog, byId('source-yes'), words + ' Their cached answers become stale, and each is served until it is refreshed.')) return;
  act(dialog, async () => {
    const state = await post('source', to === 'reset' ? { reset: true } : { source: to, ...(route ? { routes: [route] } : {}) });
    return [`Changed: answers come from ${SOURCES[state.default]}. ${counted(state.purged, 'entry', 'entries')} became stale.${state.warning ? ' ' + state.warning + '.' : ''}`, state.warning ? 'warn' : ''];
  });
}

// ---- purge

const chosen = () => document.querySelector('[name=what]:checked').value;

function resetPurge() {
  const what = chosen();
  for (const e of document.querySelectorAll('.field[data-for]')) e.hidden = e.dataset.for !== what;
  unsure(byId('ask'));
}

function purge(e) {
  e.preventDefault();
  const dialog = byId('ask'), what = chosen(), hard = byId('hard').checked;
  const value = what === 'all' ? true : byId('purge-' + what).value.trim();
  if (!value) {
    const wrong = dialog.querySelector('.wrong');
    wrong.textContent = `Enter a ${what}.`;
    wrong.hidden = false;
    return;
  }
  if (hard && !sure(dialog, byId('ask-yes'), 'Sure? Until they are filled again, every visitor of these pages waits for the database.')) return;
  act(dialog, async () => {
    const { purged, warning } = await post('purge', { [what]: value, hard });
    return [`Purged ${counted(purged, 'entry', 'entries')}${hard ? '; they are gone' : '; each is stale until it is refreshed'}.${warning ? ' ' + warning + '.' : ''}`, warning ? 'warn' : ''];
  });
}

byId('warm').addEventListener('click', () => warm(byId('warm')));
byId('accept').addEventListener('click', () => openDialog('accept-ask'));
byId('accept-form').addEventListener('submit', (e) => {
  e.preventDefault();
  byId('accept-ask').close();
  warm(byId('accept'), { accept: true });
});
byId('done').lastElementChild.addEventListener('click', () => tell(''));
for (const dialog of document.querySelectorAll('dialog')) dialog.querySelector('.no').addEventListener('click', () => dialog.close());

byId('purge').addEventListener('click', () => { byId('hard').checked = false; resetPurge(); byId('ask').showModal(); });
byId('ask-form').addEventListener('change', resetPurge);
byId('ask-form').addEventListener('submit', purge);

byId('source').addEventListener('click', () => openDialog('source-ask'));
byId('source-form').addEventListener('change', () => unsure(byId('source-ask')));
byId('source-form').addEventListener('submit', source);

byId('maintain').addEventListener('click', openMaintenance);
byId('maintenance-form').addEventListener('input', () => unsure(byId('maintenance-ask')));
byId('maintenance-form').addEventListener('change', showPreview);
byId('maintenance-form').addEventListener('submit', (e) => { e.preventDefault(); maintenance(true); });
byId('maintenance-off').addEventListener('click', () => maintenance(false));
