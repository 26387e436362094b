/* What scrolls sideways must be reachable by keyboard, formulas too once they are set. */
addEventListener('load', async function () {
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  const boxes = 'pre, mjx-container[display], .cell_output div:has(> table)';
  document.querySelectorAll(boxes).forEach(function (box) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  });
  document.querySelectorAll('.plays').forEach(play);
  if (document.querySelector('#what-the-course-claims')) filterClaims();
  document.body.dataset.ready = 'true';
});

function made(name, words, where) {
  const element = where.appendChild(document.createElement(name));
  element.textContent = words;
  return element;
}

/* The film goes on by itself, to and fro between two labels, until somebody takes over. */
function play(film) {
  const [eps, step] = film.querySelectorAll('input[type=range]');
  const reset = film.querySelector('button'), button = made('button', 'Pause', film);
  let playing = !matchMedia('(prefers-reduced-motion: reduce)').matches;
  function show(now) {
    playing = now;
    button.textContent = playing ? 'Pause' : 'Play';
    film.querySelector('[aria-live]').setAttribute('aria-live', playing ? 'off' : 'polite');
  }
  function next() {
    if (!playing) return;
    step.value = (+step.value + 1) % (+step.max + 1);
    if (+step.value === 0) eps.value = +eps.value ? 0 : 2;
    step.dispatchEvent(new Event('input', {bubbles: true}));
  }
  button.onclick = () => show(!playing);
  reset.addEventListener('click', () => show(false));
  for (const slider of [eps, step]) {
    slider.addEventListener('pointerdown', () => show(false));
    slider.addEventListener('keydown', () => show(false));
  }
  show(playing);
  setInterval(next, 700);
}

/* Claims of one mark, or of one notebook. */
function filterClaims() {
  const rows = [...document.querySelectorAll('main table tbody tr')];
  const form = document.createElement('p');
  function choice(words, values) {
    const select = made('select', '', made('label', words + ' ', form));
    for (const value of ['all', ...values]) made('option', value, select);
    select.onchange = apply;
    return select;
  }
  const of = row => row.cells[0].textContent.split('-')[0];
  const marked = choice('Marked', ['null', 'harm', 'rival']);
  const notebook = choice(' Notebook', [...new Set(rows.map(of))].sort());
  const count = made('span', '', form);
  count.setAttribute('role', 'status');
  function apply() {
    for (const row of rows) {
      const other = marked.value !== 'all' && row.cells[2].textContent.trim() !== marked.value;
      row.hidden = other || (notebook.value !== 'all' && of(row) !== notebook.value);
    }
    for (const table of document.querySelectorAll('main table'))
      table.closest('section').hidden = ![...table.tBodies[0].rows].some(row => !row.hidden);
    count.textContent = ` ${rows.filter(row => !row.hidden).length} claims`;
  }
  document.querySelector('#what-the-course-claims > h1').after(form);
  apply();
}
